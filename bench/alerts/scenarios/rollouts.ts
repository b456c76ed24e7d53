import { setTimeout as sleep } from "node:timers/promises";
import { closeNode, setOpen } from "@rollcast/testkit/closed-nodes";
import { setSource } from "../world/alert-scenario.ts";
import type { AlertScenario } from "../world/alert-scenario.ts";
import { deploy, deployOnNode, deployStatefulSet } from "../world/deploy.ts";
import { denyPatches } from "./refused.ts";

/** Rollouts that fail, that are late, and that are too many. */
export const rollouts: AlertScenario = {
  name: "rollouts",
  about: "rollouts fail at their deadline, are late, come too often, and fail while nobody looks",
  minutes: 50,
  pods: { watcher: 1, restarter: 2, notifier: 1 },
  config: () => ({
    rollout: {
      stalledAfter: "2m",
      loopBreaker: { maxRollouts: 4, period: "10m", minInterval: "30s", maxInterval: "1m" },
    },
  }),
  async prepare(world) {
    await deployOnNode(world, "stuck", { progressDeadlineSeconds: 60 });
    await deployStatefulSet(world, "late");
    await deploy(world, "busy");
    await deploy(world, "once");
  },
  async play(world) {
    const { api, namespace } = world.harness;
    await world.at(2);
    await closeNode(api, namespace, "stuck");
    await closeNode(api, namespace, "late");
    await setSource(world, "stuck", "1");
    await setSource(world, "late", "1");
    world.act("no-room", "no node takes the new pods of a Deployment and of a StatefulSet");
    for (let i = 1; i <= 8; i++) {
      await setSource(world, "busy", `${i}`);
      await sleep(6_000);
    }
    world.act("busy", "a source has changed eight times within a minute");
    await world.at(6);
    await setOpen(api, namespace, true, "stuck");
    await setOpen(api, namespace, true, "late");
    world.act("room", "the node takes pods again");

    await world.at(21);
    const restarters = world.pods.of("restarter");
    await closeNode(api, namespace, "stuck");
    await setSource(world, "stuck", "2");
    await sleep(20_000);
    await Promise.all(restarters.map((pod) => world.pods.stop(pod)));
    world.act("nobody-looks", "a rollout cannot go on, and no restarter runs at its deadline");
    await world.at(23);
    await Promise.all(restarters.map((pod) => world.pods.start(pod)));
    world.act("restarters-back", "both restarters run again");
    await world.at(24);
    await setOpen(api, namespace, true, "stuck");
    world.act("room-again", "the node takes pods again");

    await world.at(41);
    const policy = await denyPatches(world, "once");
    await setSource(world, "once", "1");
    world.act("once-refused", "a policy denies one patch");
    await sleep(15_000);
    await policy[Symbol.asyncDispose]();
    world.act("let-through", "the policy is gone: the next try succeeds");
  },
};
