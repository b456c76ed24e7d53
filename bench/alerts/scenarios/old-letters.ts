import { webhookReceiver } from "@rollcast/testkit/harness/base-config";
import { setSource } from "../world/alert-scenario.ts";
import type { AlertScenario } from "../world/alert-scenario.ts";
import { deploy } from "../world/deploy.ts";

/** Prometheus sees old dead letters anew. */
export const oldLetters: AlertScenario = {
  name: "old-letters",
  about: "some dead letters, and long after that Prometheus is away, and a notifier starts again",
  minutes: 54,
  pods: { watcher: 1, restarter: 1, notifier: 1 },
  config: ({ receiver }) => ({
    notifier: {
      receivers: [webhookReceiver(receiver)],
      route: { receiver: "hook", groupWait: "500ms", groupInterval: "500ms" },
    },
  }),
  prepare: (world) => deploy(world, "web"),
  async play(world) {
    await world.at(2);
    world.harness.receiver.answer({ status: 404 });
    await setSource(world, "web", "1");
    world.act("dead", "a receiver answers 404");
    await world.at(3);
    world.harness.receiver.answer({});
    world.act("well", "it is well again");
    await world.at(22);
    world.setScraping(false);
    world.act("prometheus-away", "Prometheus is away");
    await world.at(33);
    world.setScraping(true);
    world.act("prometheus-back", "Prometheus scrapes again");
    await world.at(50);
    const [notifier] = world.pods.of("notifier");
    if (notifier === undefined) throw new Error("there is no notifier");
    await world.pods.stop(notifier);
    await world.pods.start(notifier);
    world.act("notifier-restarted", "the notifier is restarted: it counts from 0 again");
  },
};
