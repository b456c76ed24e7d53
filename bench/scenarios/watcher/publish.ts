import { setTimeout as sleep } from "node:timers/promises";
import { startCluster } from "@rollcast/testkit/cluster";
import type { Cluster } from "@rollcast/testkit/cluster";
import { startNats } from "@rollcast/testkit/nats";
import type { NatsServer } from "@rollcast/testkit/nats";
import { createNamespace, paths } from "@rollcast/testkit/objects";
import { connectKube } from "@rollcast/kube/client";
import { connectNats } from "@rollcast/nats/connect";
import { EVENT_STREAM } from "@rollcast/nats/streams";
import { median, percentile } from "../../report/stats.ts";
import { sizeOf } from "../../lab/scenario.ts";
import type { Measurement, Scenario } from "../../lab/scenario.ts";
import { createSecrets, nameOf, syncSeconds } from "./secrets.ts";
import { startWatcher } from "./start-watcher.ts";
import { silent } from "../../lab/silent.ts";

/** Over those that came; how many did not is a measurement of its own. */
function spreadOf(name: string, times: readonly number[]): Measurement[] {
  const came = times.filter((ms) => !Number.isNaN(ms));
  return [
    { name: `${name}, p50`, unit: "ms", value: median(came) },
    { name: `${name}, p99`, unit: "ms", value: percentile(came, 0.99) },
  ];
}

export const publish: Scenario = {
  name: "publish",
  about: "one change of a Secret after the other, up to its event in the stream",
  services: ["watcher"],
  sizes: { sources: 1_000, changes: 1_000 },
  async measure(subject, sizes) {
    const sources = sizeOf(sizes, "sources");
    await using cluster = await startCluster({ controllers: false });
    await using nats = await startNats();
    const { name: namespace } = await createNamespace(cluster.api, "bench");
    await createSecrets(cluster, namespace, 0, sources);
    await using service = await startWatcher(subject, { cluster, nats, namespace });
    await syncSeconds({ service, namespace });
    const changes = sizeOf(sizes, "changes");
    const given = { namespace, sources, changes };
    const { written, watched, published } = await changeTimes(cluster, nats, given);
    const between = published.map((ms, i) => ms - (watched[i] ?? Number.NaN));
    return [
      ...spreadOf("write answered", written),
      ...spreadOf("write to the API server's own watch", watched),
      ...spreadOf("write to stored event", published),
      ...spreadOf("watch to stored event", between),
      { name: "events that did not come", unit: "", value: published.filter(Number.isNaN).length },
    ];
  },
};

/** When the API server's own watch showed a change, by name and value; `performance.now()`. */
async function watchRaw(cluster: Cluster, namespace: string, signal: AbortSignal) {
  const client = await connectKube({ logger: silent, kubeconfig: cluster.kubeconfig });
  const { metadata } = await client.request<{ metadata: { resourceVersion: string } }>({
    method: "GET",
    path: paths.secret(namespace),
    query: { limit: "1" },
  });
  const stream = await client.stream({
    method: "GET",
    path: paths.secret(namespace),
    query: { watch: "1", resourceVersion: metadata.resourceVersion },
    signal,
  });
  const deliveredAt = new Map<string, number>();
  const read = async () => {
    let text = "";
    for await (const chunk of stream) {
      const now = performance.now();
      text += Buffer.from(chunk).toString("utf8");
      const lines = text.split("\n");
      text = lines.pop() ?? "";
      for (const line of lines) {
        const { object } = JSON.parse(line) as {
          object: { metadata: { name: string; resourceVersion: string } };
        };
        deliveredAt.set(object.metadata.resourceVersion, now);
      }
    }
  };
  const reading = read().catch(() => undefined);
  return {
    deliveredAt,
    async [Symbol.asyncDispose]() {
      await reading;
      await client[Symbol.asyncDispose]();
    },
  };
}

/** When the stream delivered the stored event of a change, by resourceVersion. */
async function watchStream(nats: NatsServer) {
  const connection = await connectNats({ url: nats.url, name: "bench", logger: silent });
  const consumer = await connection.js.consumers.get(EVENT_STREAM);
  const messages = await consumer.consume();
  const deliveredAt = new Map<string, number>();
  const read = async () => {
    for await (const message of messages) {
      const now = performance.now();
      const { data } = message.json<{ data: { resourceVersion: string } }>();
      deliveredAt.set(data.resourceVersion, now);
    }
  };
  const reading = read().catch(() => undefined);
  return {
    deliveredAt,
    async [Symbol.asyncDispose]() {
      messages.stop();
      await reading;
      await connection[Symbol.asyncDispose]();
    },
  };
}

type Times = { written: number[]; watched: number[]; published: number[] };

/**
 * Changes one Secret after the other, with a pause, and measures milliseconds from the begin of
 * each write; NaN for what did not come.
 */
async function changeTimes(
  cluster: Cluster,
  nats: NatsServer,
  given: { readonly namespace: string; readonly sources: number; readonly changes: number },
): Promise<Times> {
  const { namespace, sources, changes } = given;
  const stop = new AbortController();
  const raw = await watchRaw(cluster, namespace, stop.signal);
  const stream = await watchStream(nats);
  const began: { version: string; at: number; written: number }[] = [];
  for (let i = 0; i < changes; i++) {
    const at = performance.now();
    const value = Buffer.from(`changed ${i}`).toString("base64");
    const { metadata } = await cluster.api.patch(paths.secret(namespace, nameOf(i % sources)), {
      data: { "key-0": value },
    });
    began.push({ version: metadata.resourceVersion ?? "", at, written: performance.now() - at });
    await sleep(10);
  }
  await sleep(1_000);
  stop.abort();
  await raw[Symbol.asyncDispose]();
  await stream[Symbol.asyncDispose]();
  const since = (deliveredAt: ReadonlyMap<string, number>) =>
    began.map(({ version, at }) => (deliveredAt.get(version) ?? Number.NaN) - at);
  return {
    written: began.map(({ written }) => written),
    watched: since(raw.deliveredAt),
    published: since(stream.deliveredAt),
  };
}
