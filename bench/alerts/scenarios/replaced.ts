import { setTimeout as sleep } from "node:timers/promises";
import { closeNode } from "@rollcast/testkit/closed-nodes";
import { setSource } from "../world/alert-scenario.ts";
import type { AlertScenario } from "../world/alert-scenario.ts";
import { deployOnNode } from "../world/deploy.ts";

/** Enough to be planned and patched on a busy machine, and less than the deadline. */
const PATCHED_MS = 20_000;

/** What new pods count before Prometheus has seen them. */
export const replaced: AlertScenario = {
  name: "replaced",
  about:
    "a rollout fails while there is no pod of the restarter; new ones find that at their start",
  minutes: 7,
  pods: { watcher: 1, restarter: 2, notifier: 1 },
  config: () => ({}),
  prepare: (world) => deployOnNode(world, "stuck", { progressDeadlineSeconds: 60 }),
  async play(world) {
    const { api, namespace } = world.harness;
    await world.at(1);
    await closeNode(api, namespace, "stuck");
    await setSource(world, "stuck", "1");
    await sleep(PATCHED_MS);
    await Promise.all(world.pods.of("restarter").map((pod) => world.pods.remove(pod)));
    world.act("no-restarter", "a rollout cannot go on, and there is no pod of the restarter");
    await world.at(3);
    await Promise.all([world.pods.add("restarter"), world.pods.add("restarter")]);
    world.act("restarters-back", "there are two new ones");
  },
};
