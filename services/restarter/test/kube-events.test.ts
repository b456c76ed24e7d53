import { paths } from "@rollcast/testkit/objects";
import type { AnyObject } from "@rollcast/testkit/test-api";
import type { Fault } from "@rollcast/testkit/fault-proxy";
import { waitFor } from "@rollcast/testkit/wait";
import { expect, test } from "vitest";
import { startRestarterHarness } from "./harness.ts";

type Event = AnyObject & { reason: string; regarding: { name: string } };

const FAULTS: readonly Fault[] = [
  { do: "reset" },
  { do: "reset", late: true },
  { do: "answer", status: 429, retryAfter: 1 },
  { do: "answer", status: 503 },
];

test("a Kubernetes Event is there once, whatever becomes of the first three tries to write it", async () => {
  await using harness = await startRestarterHarness({ faultProxy: true });
  const { api, namespace, proxy } = harness;
  const reasonsOf = async (name: string) => {
    const { items } = await api.get<{ items: Event[] }>(paths.event(namespace));
    return items.filter(({ regarding }) => regarding.name === name).map(({ reason }) => reason);
  };
  const isRolled = async (name: string) => (await reasonsOf(name)).includes("Reloaded");
  await harness.start();
  for (const [i, fault] of FAULTS.entries()) {
    const name = `web-${i}`;
    await harness.adopt(name, "0");
    await harness.deploy(name, { uses: [{ as: "envFrom", configMap: name }] });
    await harness.waitCurrent("Deployment", name);
    proxy.rules([{ method: "POST", path: /events\.k8s\.io/, fault, times: 3 }]);
    const tries = () => proxy.requests.filter(({ path }) => path.includes("events.k8s.io")).length;
    const before = tries();

    await harness.change(name, "1");

    // Of an answer that is lost nobody knows that the first try has made it.
    const isTriedAgain = () => tries() - before > 1;
    await waitFor(async () => isTriedAgain() && (await isRolled(name)), {
      message: `the Event of ${name}`,
    });
    expect((await reasonsOf(name)).filter((reason) => reason === "Reloaded")).toHaveLength(1);
  }
});
