import { setSource } from "../world/alert-scenario.ts";
import type { AlertScenario } from "../world/alert-scenario.ts";
import { deploy } from "../world/deploy.ts";

/** Of a workload that was copied from another cluster with all that its pod template had. */
const FOREIGN = JSON.stringify({ "ConfigMap/moved": `0123456789abcdef.${"0".repeat(32)}` });

/** A marker of an installation that is elsewhere. */
export const moved: AlertScenario = {
  name: "moved",
  about:
    "a workload comes with the marker of an installation that is elsewhere, and is rolled here",
  minutes: 9,
  pods: { watcher: 1, restarter: 2, notifier: 1 },
  config: () => ({}),
  prepare: (world) => deploy(world, "web"),
  async play(world) {
    await world.at(1);
    await deploy(world, "moved", { podAnnotations: { "rollcast.dev/config": FOREIGN } });
    world.act("moved", "a workload comes with the marker of an installation that is elsewhere");
    await world.at(5);
    await setSource(world, "moved", "1");
    world.act("rolled", "its source changes, so that it is rolled here");
  },
};
