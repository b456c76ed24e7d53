/**
 * What watching costs: a cold sync of many Secrets beside the API server's own paginated list, memory at its peak and settled and what each source adds to it,
 * a warm start, and the latency from a change to its event in the stream beside the API server's own from write to watch. Real control plane and NATS, one
 * run; the watcher as in a pod (Linux, as root).
 *
 *     node bench/watcher.ts [--sources 10000] [--changes 1000] [--sync-always]
 */
import { join } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { connectKube } from "@rollcast/kube/client";
import { createLogger } from "@rollcast/runtime/logger";
import { connectNats } from "@rollcast/nats/connect";
import { EVENT_STREAM } from "@rollcast/nats/provision";
import { startCluster } from "@rollcast/testkit/cluster";
import type { Cluster } from "@rollcast/testkit/cluster";
import { startNats } from "@rollcast/testkit/nats";
import type { NatsServer } from "@rollcast/testkit/nats";
import { createNamespace, paths } from "@rollcast/testkit/objects";
import { startService } from "@rollcast/testkit/services";
import type { LogLine, Service } from "@rollcast/testkit/services";
import { nodeOptionsOf, openImages } from "./image.ts";
import { lanes, numbers } from "./lanes.ts";
import { median, percentile, usageOf } from "./stats.ts";

const KEYS = 10;
const BYTES = 2_048;
const PAGE = 500;
const WRITERS = 16;
const MIB = 1_048_576;
/** Memory limit in MiB: the chart's. */
const LIMIT = 256;
const silent = createLogger("bench", "silent");

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

const nameOf = (i: number) => `secret-${String(i).padStart(6, "0")}`;

async function createSecrets(cluster: Cluster, namespace: string, from: number, to: number) {
  await lanes(numbers(from, to), WRITERS, (i) => {
    const value = Buffer.alloc(Math.floor(BYTES / KEYS), `${i}-`).toString("base64");
    const data = Object.fromEntries(Array.from({ length: KEYS }, (_, k) => [`key-${k}`, value]));
    const metadata = { name: nameOf(i) };
    return cluster.api.create(paths.secret(namespace), { metadata, type: "Opaque", data });
  });
}

type Page = { metadata: { continue?: string }; items: unknown[] };

/** Objects a second of the API server's own paginated list, read and parsed by a plain client. */
async function listRate(cluster: Cluster): Promise<number> {
  const began = performance.now();
  let count = 0;
  let token = "";
  do {
    const query = `limit=${PAGE}${token === "" ? "" : `&continue=${encodeURIComponent(token)}`}`;
    const page = await cluster.api.get<Page>(`/api/v1/secrets?${query}`);
    count += page.items.length;
    token = page.metadata.continue ?? "";
  } while (token !== "");
  return count / ((performance.now() - began) / 1_000);
}

type Running = { service: Service; namespace: string };

async function startWatcher(cluster: Cluster, nats: NatsServer, namespace: string) {
  const probe = join(import.meta.dirname, "memory-probe.mjs");
  const image = await images.start("watcher", {
    cluster,
    user: "admin",
    limit: LIMIT,
    more: [`--import=${probe}`],
  });
  const config = { apiVersion: "rollcast.dev/v1", kind: "Config", cluster: "bench" };
  return startService("watcher", {
    ...image,
    config: { ...config, log: { level: "debug" } },
    natsUrl: nats.url,
    env: { ...image.env, ROLLCAST_NAMESPACE: namespace },
  });
}

const timeOf = (line: LogLine) => Date.parse(String(line.time));

/** Seconds from the watcher's start of listing to the end of its list of Secrets, all of them recorded. */
async function syncSeconds({ service }: Running): Promise<number> {
  await service.waitReady(600_000);
  const started = await service.waitLog(({ msg }) => msg === "watcher started");
  const listed = await service.waitLog(
    ({ msg, resource }) => msg === "listed" && resource === "secrets",
    600_000,
  );
  return (timeOf(listed) - timeOf(started)) / 1_000;
}

type Memory = { rss: number; heap: number };

/** Memory after the garbage is collected, in bytes: resident, and what the heap and buffers hold. */
async function settledMemory({ service }: Running): Promise<Memory> {
  await sleep(3_000);
  const seen = service.logs.filter(({ msg }) => msg === "memory").length;
  for (let i = 1; i <= 3; i++) {
    process.kill(service.pid, "SIGUSR2");
    await service.waitLog(
      () => service.logs.filter(({ msg }) => msg === "memory").length >= seen + i,
    );
    await sleep(500);
  }
  const last = service.logs.findLast(({ msg }) => msg === "memory");
  return {
    rss: Number(last?.rss),
    heap: Number(last?.heapUsed) + Number(last?.external),
  };
}

type ColdSync = { seconds: number; peakMiB: number; settled: Memory };

async function coldSync(cluster: Cluster, nats: NatsServer, namespace: string): Promise<ColdSync> {
  await using service = await startWatcher(cluster, nats, namespace);
  const running = { service, namespace };
  const seconds = await syncSeconds(running);
  const { peakMiB } = usageOf(service.pid);
  return { seconds, peakMiB, settled: await settledMemory(running) };
}

/** Writes to the records so far. */
async function recordWrites(nats: NatsServer): Promise<number> {
  await using connection = await connectNats({ url: nats.url, name: "bench", logger: silent });
  return (await connection.jsm.streams.info("KV_sources")).state.last_seq;
}

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
  const seen = new Map<string, number>();
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
        seen.set(object.metadata.resourceVersion, now);
      }
    }
  };
  const reading = read().catch(() => undefined);
  return {
    seen,
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
  const seen = new Map<string, number>();
  const read = async () => {
    for await (const message of messages) {
      const now = performance.now();
      const { data } = message.json<{ data: { resourceVersion: string } }>();
      seen.set(data.resourceVersion, now);
    }
  };
  const reading = read().catch(() => undefined);
  return {
    seen,
    async [Symbol.asyncDispose]() {
      messages.stop();
      await reading;
      await connection[Symbol.asyncDispose]();
    },
  };
}

type Latency = { written: number[]; watched: number[]; published: number[] };

/** Changes one Secret after the other, with a pause, and measures from the begin of each write. */
async function latencies(
  cluster: Cluster,
  nats: NatsServer,
  namespace: string,
  changes: number,
): Promise<Latency> {
  const stop = new AbortController();
  const raw = await watchRaw(cluster, namespace, stop.signal);
  const stream = await watchStream(nats);
  const began: { version: string; at: number; written: number }[] = [];
  for (let i = 0; i < changes; i++) {
    const at = performance.now();
    const value = Buffer.from(`changed ${i}`).toString("base64");
    const { metadata } = await cluster.api.patch(paths.secret(namespace, nameOf(i % 1_000)), {
      data: { "key-0": value },
    });
    began.push({ version: metadata.resourceVersion ?? "", at, written: performance.now() - at });
    await sleep(10);
  }
  await sleep(1_000);
  stop.abort();
  await raw[Symbol.asyncDispose]();
  await stream[Symbol.asyncDispose]();
  const since = (seen: ReadonlyMap<string, number>) =>
    began.map(({ version, at }) => (seen.get(version) ?? Number.NaN) - at);
  return {
    written: began.map(({ written }) => written),
    watched: since(raw.seen),
    published: since(stream.seen),
  };
}

function line(name: string, numbers: readonly number[]): string {
  const missing = numbers.filter(Number.isNaN).length;
  const shown = [0.5, 0.9, 0.99].map((share) => percentile(numbers, share).toFixed(1));
  return `  ${name.padEnd(34)} ${shown.join(" / ")} ms${missing === 0 ? "" : ` (${missing} missing)`}`;
}

const { values } = parseArgs({
  options: {
    sources: { type: "string", default: "10000" },
    changes: { type: "string", default: "1000" },
    "sync-always": { type: "boolean", default: false },
  },
});
const sources = Number(values.sources);
const options = values["sync-always"] ? { config: "jetstream { sync_interval: always }" } : {};

await using images = await openImages(["watcher"]);
await using cluster = await startCluster({ controllers: false });
const { name: namespace } = await createNamespace(cluster.api, "bench");
print((await nodeOptionsOf(LIMIT)).join(" "));
print(`${sources} Secrets of ${BYTES} bytes in ${KEYS} keys are written ...`);
await createSecrets(cluster, namespace, 0, sources);
const rates = [await listRate(cluster), await listRate(cluster), await listRate(cluster)];
print(`the API server's own paginated list:   ${median(rates).toFixed(0)} Secrets a second`);

await using firstNats = await startNats(options);
const first = await coldSync(cluster, firstNats, namespace);
print(
  `cold sync of ${sources}: ${first.seconds.toFixed(2)} s, ${(sources / first.seconds).toFixed(0)} a second`,
);
print(
  `  resident at its peak ${first.peakMiB.toFixed(0)} MiB, settled ${(first.settled.rss / MIB).toFixed(0)} MiB (heap and buffers ${(first.settled.heap / MIB).toFixed(1)} MiB)`,
);

await createSecrets(cluster, namespace, sources, 2 * sources);
await using secondNats = await startNats(options);
const second = await coldSync(cluster, secondNats, namespace);
print(
  `cold sync of ${2 * sources}: ${second.seconds.toFixed(2)} s, ${((2 * sources) / second.seconds).toFixed(0)} a second`,
);
print(
  `  resident at its peak ${second.peakMiB.toFixed(0)} MiB, settled ${(second.settled.rss / MIB).toFixed(0)} MiB (heap and buffers ${(second.settled.heap / MIB).toFixed(1)} MiB)`,
);
const grown = (key: keyof Memory) => (second.settled[key] - first.settled[key]) / sources;
print(
  `memory of a source: ${grown("heap").toFixed(0)} bytes of heap and buffers, ${grown("rss").toFixed(0)} bytes resident`,
);

const before = await recordWrites(secondNats);
await using service = await startWatcher(cluster, secondNats, namespace);
const warm = await syncSeconds({ service, namespace });
print(
  `warm start with ${2 * sources}: ${warm.toFixed(2)} s, ${(await recordWrites(secondNats)) - before} records written`,
);

const { written, watched, published } = await latencies(
  cluster,
  secondNats,
  namespace,
  Number(values.changes),
);
print(
  `${values.changes} changes, one after the other, from the begin of the write (p50 / p90 / p99):`,
);
print(line("write answered", written));
print(line("API server's own write to watch", watched));
print(line("event stored and delivered", published));
print(
  line(
    "difference of the last two",
    published.map((ms, i) => ms - (watched[i] ?? Number.NaN)),
  ),
);
