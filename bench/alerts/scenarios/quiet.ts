import { setTimeout as sleep } from "node:timers/promises";
import { closeNode, setOpen } from "@rollcast/testkit/closed-nodes";
import { webhookReceiver } from "@rollcast/testkit/harness/base-config";
import { configMap, paths } from "@rollcast/testkit/objects";
import type { PodService } from "../world/pods.ts";
import { setSource } from "../world/alert-scenario.ts";
import type { AlertScenario, AlertWorld } from "../world/alert-scenario.ts";
import { deploy, deployOnNode } from "../world/deploy.ts";

const SERVICES: readonly PodService[] = ["watcher", "restarter", "notifier"];
const BURST = 20;
const BURST_MINUTES = 6;
const BURST_PAUSE_MS = 200;
const EDIT_MS = 20_000;
const EDIT_PAUSE_MS = 100;
const CHANGE_MINUTES = 0.75;

/** Replaces every pod by one of another name. */
async function update({ pods }: AlertWorld): Promise<void> {
  for (const service of SERVICES) {
    for (const pod of pods.of(service)) {
      await pods.add(service);
      await pods.remove(pod);
    }
  }
}

/** Somebody else edits the workload all the time, while it is rolled. */
async function editBeside(world: AlertWorld, name: string): Promise<void> {
  const { api, namespace } = world.harness;
  const until = Date.now() + EDIT_MS;
  await setSource(world, name, "edited");
  for (let i = 0; Date.now() < until; i++) {
    await api.patch(paths.deployment(namespace, name), { spec: { replicas: 1 + (i % 2) } });
    if (i % 20 === 10) await setSource(world, name, `edited-${i}`);
    await sleep(EDIT_PAUSE_MS);
  }
}

/** Many sources change all the time. */
async function changeMany(world: AlertWorld): Promise<void> {
  const rounds = (BURST_MINUTES * 60_000) / BURST_PAUSE_MS / BURST;
  for (let round = 1; round <= rounds; round++) {
    for (let i = 0; i < BURST; i++) {
      await setSource(world, `many-${i}`, `${round}`);
      await sleep(BURST_PAUSE_MS);
    }
  }
}

/** A source changes slowly for as long as it is recorded. */
async function changeSlowly(world: AlertWorld, minutes: number): Promise<void> {
  for (let turn = 1; turn * CHANGE_MINUTES < minutes; turn++) {
    await world.at(turn * CHANGE_MINUTES);
    await setSource(world, "web", `${turn}`);
  }
}

async function disturb(world: AlertWorld): Promise<void> {
  const { api, namespace, nats, redis, proxy } = world.harness;
  const [watcher] = world.pods.of("watcher");
  if (watcher === undefined) throw new Error("there is no watcher");
  await world.at(3);
  await world.pods.stop(watcher, "SIGKILL");
  world.act("watcher-killed", "a watcher is killed");
  await world.at(5);
  await world.pods.start(watcher);
  world.act("watcher-back", "it runs again");
  await world.at(7);
  world.act("update", "every pod is replaced, one after the other");
  await update(world);
  await world.at(11);
  await nats.kill();
  world.act("no-nats", "NATS is killed");
  await world.at(13);
  await nats.restart();
  world.act("nats-back", "NATS runs again");
  await world.at(15);
  await redis.kill();
  world.act("no-redis", "Redis is killed");
  await world.at(17);
  await redis.restart();
  world.act("redis-back", "Redis runs again");
  await world.at(19);
  proxy.rules([{ fault: { do: "reset" } }]);
  proxy.cut();
  world.act("no-api-server", "the API server takes no connections");
  await world.at(21);
  proxy.rules([]);
  world.act("api-server-back", "it does again");
  await world.at(23);
  world.act("edited", "a workload is edited all the time while it is rolled");
  await editBeside(world, "edited");
  await world.at(25);
  await closeNode(api, namespace, "slow");
  await setSource(world, "slow", "1");
  world.act("slow", "the new pods of a rollout have to wait for a node");
  await world.at(28);
  await setOpen(api, namespace, true, "slow");
  world.act("slow-ends", "they have one");
  await world.at(29);
  world.act("many", `${BURST} sources change, five times a second`);
  await changeMany(world);
  world.act("many-end", "they change no more");
  await world.at(38);
  world.setScraping(false);
  world.act("prometheus-away", "Prometheus is away");
  await world.at(45);
  world.setScraping(true);
  world.act("prometheus-back", "Prometheus scrapes again");
  await world.at(49);
  world.act("update-again", "every pod is replaced, one after the other");
  await update(world);
}

/** What happens in every installation. No alert fires. */
export const quiet: AlertScenario = {
  name: "quiet",
  about: "restarts, updates, short outages of everything, lost races, a slow rollout, much to do",
  minutes: 54,
  pods: { watcher: 2, restarter: 2, notifier: 2 },
  config: ({ receiver }) => ({
    notifier: {
      receivers: [webhookReceiver(receiver)],
      route: { receiver: "hook", groupWait: "500ms", groupInterval: "500ms" },
    },
  }),
  async prepare(world) {
    const { api, namespace } = world.harness;
    await deploy(world, "web");
    await deploy(world, "edited");
    await deployOnNode(world, "slow");
    for (let i = 0; i < BURST; i++) {
      const source = configMap(namespace, `many-${i}`, { a: "0" });
      await api.create(paths.configMap(namespace), source);
    }
  },
  async play(world) {
    await Promise.all([changeSlowly(world, this.minutes), disturb(world)]);
  },
};
