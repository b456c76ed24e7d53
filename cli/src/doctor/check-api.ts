import type { StatusView } from "@rollcast/shared/api/workload-routes";
import { refText } from "../refs.ts";
import { ok, todo } from "./finding.ts";
import type { Finding } from "./finding.ts";

const STALE_SECONDS = 600;
const MANY_EVENTS = 1_000;

/** Findings about the restarter's Redis; none if the restarter's version does not report it. */
function checkRedis({ instance, redis }: StatusView): Finding[] {
  if (redis === undefined) return [];
  if (redis === "ok") return [ok("redis", `reached by ${instance}`)];
  return [todo("redis", `${instance} says: ${redis}`, "does it run where rollcast.yaml says?")];
}

/** Findings about other installations that roll the same workloads. */
function checkOthers({ otherInstallations = [] }: StatusView): Finding[] {
  return otherInstallations.map(({ keyId, ownKeyId, workloads, first }) =>
    todo(
      "installation",
      `another one (key ${keyId}, this one's ${ownKeyId}) rolls ${refText(first)}, ${workloads} workloads in all`,
      `keep their scopes apart, or, if ${keyId} was a key of this one, set installationKey.earlierIds`,
    ),
  );
}

/** Findings about the restarter, from its status. */
export function checkApi(status: StatusView): Finding[] {
  const { instance, redis, watchStalenessSeconds: stale, eventsPending = 0, states } = status;
  const who = `${instance} of ${status.cluster}, mode ${status.mode}`;
  const failed = (states.failed ?? 0) + (states.halted ?? 0);
  // Redis is reported in a line of its own.
  const faults = status.faults.filter((fault) => fault !== `redis: ${redis}`);
  const none = faults.length === status.faults.length ? "no fault" : "no other fault";
  return [
    ...checkRedis(status),
    ...checkOthers(status),
    ...(faults.length === 0
      ? [ok("restarter", `${who}, has ${none}`)]
      : faults.map((fault) => todo("restarter", fault, `look at the log of ${instance}`))),
    stale === undefined || stale > STALE_SECONDS
      ? todo("watches", "they prove no delivery", `look at the log of ${instance}`)
      : ok("watches", `proved to deliver ${Math.round(stale)} s ago`),
    eventsPending > MANY_EVENTS
      ? todo(
          "events",
          `${eventsPending} wait to be planned`,
          "the restarter's log says what holds them up",
        )
      : ok("events", `${eventsPending} wait to be planned`),
    failed > 0
      ? todo("workloads", `${failed} failed or halted`, "rollcast status names them")
      : ok("workloads", `${status.mayRoll} may roll, none failed or halted`),
  ];
}
