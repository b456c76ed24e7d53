import { waitFor } from "@rollcast/testkit/wait";
import { EVENT_STREAM } from "@rollcast/nats/streams";
import { setSource } from "../world/alert-scenario.ts";
import type { AlertScenario, AlertWorld } from "../world/alert-scenario.ts";
import { deploy, spoil } from "../world/deploy.ts";

const CONFIG_MAPS = /\/configmaps/;

/** Has the stream of events take nothing more, as on a full disk; buckets go on. */
async function fillStream({ harness }: AlertWorld): Promise<() => Promise<void>> {
  const { streams } = harness.connection.jsm;
  const { config, state } = await streams.info(EVENT_STREAM);
  const { discard, max_msgs } = config;
  const refuse = "new" as typeof discard;
  await streams.update(EVENT_STREAM, { ...config, discard: refuse, max_msgs: state.messages });
  return async () => {
    await streams.update(EVENT_STREAM, { ...config, discard, max_msgs });
    await waitFor(async () => (await streams.info(EVENT_STREAM)).config.max_msgs === max_msgs);
  };
}

/** Sources that cannot be recorded, seen or published. */
export const watcher: AlertScenario = {
  name: "watcher",
  about:
    "a source cannot be recorded, the watch of ConfigMaps gets no answer, and the stream takes no events",
  minutes: 52,
  pods: { watcher: 2, restarter: 1, notifier: 1 },
  config: () => ({}),
  async prepare(world) {
    await deploy(world, "web");
    await deploy(world, "spoiled");
  },
  async play(world) {
    const { proxy } = world.harness;
    await world.at(2);
    const shortly = await spoil(world, "sources", "ConfigMap", "spoiled");
    await setSource(world, "spoiled", "1");
    world.act("refused-shortly", "a record has no known form, and its source changes");
    await world.at(4);
    await shortly.restore();
    await setSource(world, "spoiled", "2");
    world.act("taken", "the record is as before, and the source changes again");
    await world.at(6);
    const spoiled = await spoil(world, "sources", "ConfigMap", "spoiled");
    await setSource(world, "spoiled", "3");
    world.act("refused", "a record has no known form, and its source changes");
    await world.at(14);
    await spoiled.restore();
    await setSource(world, "spoiled", "4");
    world.act("mended", "the record is as before, and the source changes again");

    await world.at(16);
    proxy.rules([{ path: CONFIG_MAPS, fault: { do: "stall" } }]);
    world.act("watch-stalls", "nothing about ConfigMaps is answered any more");
    await world.at(29);
    proxy.rules([]);
    proxy.cut();
    world.act("watch-answers", "all of it is answered again");

    await world.at(31);
    const empty = await fillStream(world);
    await setSource(world, "web", "1");
    world.act("stream-full", "the stream takes no events, and a source changes");
    await world.at(40);
    await empty();
    world.act("stream-empty", "the stream takes events");
  },
};
