import { expect, test } from "vitest";
import { quorumFault } from "./quorum.ts";
import type { Replication } from "./quorum.ts";

const heard = { active: 994_000_000, current: true, offline: false };
const unheard = { active: 7_434_000_000, current: true, offline: false };
const never = { active: 0, current: false, offline: false };
const elected = { active: 0, current: true, offline: false };

test.each<[what: string, Replication["cluster"], copies: number, fault: string | undefined]>([
  ["a server that is no cluster", undefined, 1, undefined],
  ["a server alone", { leader: "a" }, 1, undefined],
  ["three copies", { leader: "a", replicas: [heard, heard] }, 3, undefined],
  ["a leader just elected", { leader: "a", replicas: [elected, elected] }, 3, undefined],
  ["one copy lost", { leader: "a", replicas: [heard, unheard] }, 3, undefined],
  ["two copies lost", { leader: "a", replicas: [unheard, unheard] }, 3, "0 of 2 other copies"],
  [
    "two copies offline",
    { leader: "a", replicas: [{ ...heard, offline: true }, never] },
    3,
    "0 of 2 other copies",
  ],
  [
    "half of five lost",
    { leader: "a", replicas: [heard, unheard, unheard, never] },
    5,
    "1 of 4 other copies",
  ],
  ["no leader", { replicas: [heard, never, never] }, 3, "no leader"],
  ["no leader by name", { leader: "", replicas: [heard, never, never] }, 3, "no leader"],
  ["one copy whose server is gone", { replicas: [never] }, 1, "no leader"],
])("%s", (_, cluster, copies, fault) => {
  const config = { name: "ROLLCAST", num_replicas: copies };
  const actual = quorumFault(cluster === undefined ? { config } : { config, cluster });
  if (fault === undefined) expect(actual).toBeUndefined();
  else expect(actual).toMatch(new RegExp(`^stream ROLLCAST: .*${fault}$`));
});
