import { setSource } from "../world/alert-scenario.ts";
import type { AlertScenario } from "../world/alert-scenario.ts";
import { deploy } from "../world/deploy.ts";

/** Processes and servers that are away for long. */
export const down: AlertScenario = {
  name: "down",
  about:
    "a restarter does not start for some minutes, then there is no pod of the notifier, then no NATS while a source changes",
  minutes: 46,
  pods: { watcher: 2, restarter: 2, notifier: 1 },
  config: () => ({}),
  prepare: (world) => deploy(world, "web"),
  async play(world) {
    const [restarter] = world.pods.of("restarter");
    const [notifier] = world.pods.of("notifier");
    if (restarter === undefined || notifier === undefined) throw new Error("a pod is missing");
    await world.at(2);
    await world.pods.stop(restarter, "SIGKILL");
    world.act("process-down", "a restarter is killed, and does not start");
    await world.at(10);
    await world.pods.start(restarter);
    world.act("process-back", "it has started");

    await world.at(14);
    await world.pods.remove(notifier);
    world.act("no-pod", "there is no pod of the notifier");
    await world.at(23);
    await world.pods.add("notifier");
    world.act("pod-back", "there is one again");

    await world.at(26);
    await world.harness.nats.kill();
    await setSource(world, "web", "1");
    world.act("no-nats", "NATS is killed, and a source changes");
    await world.at(34);
    await world.harness.nats.restart();
    world.act("nats-back", "NATS runs again");
  },
};
