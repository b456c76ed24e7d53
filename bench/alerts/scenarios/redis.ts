import { setTimeout as sleep } from "node:timers/promises";
import { setSource } from "../world/alert-scenario.ts";
import type { AlertScenario, AlertWorld } from "../world/alert-scenario.ts";
import { deploy } from "../world/deploy.ts";

const CHANGES = 1_500;
const PAUSE_MS = 40;

async function changeOften(world: AlertWorld, turn: string): Promise<void> {
  for (let i = 0; i < CHANGES; i++) {
    await setSource(world, "web", `${turn}-${i}`);
    await sleep(PAUSE_MS);
  }
}

/** More than a thousand events, once with Redis, once without. */
export const redis: AlertScenario = {
  name: "redis",
  about: "a source changes 1500 times, once while all is well, once while there is no Redis",
  minutes: 42,
  pods: { watcher: 1, restarter: 2, notifier: 1 },
  config: () => ({
    queues: [{ name: "default", window: "30s" }],
    rollout: { loopBreaker: { maxRollouts: 1_000 } },
  }),
  prepare: (world) => deploy(world, "web"),
  async play(world) {
    await world.at(2);
    world.act("burst", `a source begins to change ${CHANGES} times`);
    await changeOften(world, "first");
    world.act("burst-over", "it has");
    await world.at(10);
    await world.harness.redis.kill();
    world.act("no-redis", "Redis is killed");
    await changeOften(world, "second");
    world.act("waiting", `the source has changed ${CHANGES} times`);
    await world.at(28);
    await world.harness.redis.restart();
    world.act("redis-back", "Redis runs again");
  },
};
