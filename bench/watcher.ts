import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { connectNats } from "@rollcast/nats/connect";
import { startCluster } from "@rollcast/testkit/cluster";
import type { Cluster } from "@rollcast/testkit/cluster";
import { startNats } from "@rollcast/testkit/nats";
import type { NatsServer } from "@rollcast/testkit/nats";
import { createNamespace } from "@rollcast/testkit/objects";
import { startService } from "@rollcast/testkit/services";
import { nodeOptionsOf, openImages } from "./image.ts";
import { silent } from "./silent.ts";
import { median, percentile, usageOf } from "./stats.ts";
import { BYTES, KEYS, createSecrets, listRate, steadyMemory, syncSeconds } from "./watcher-sync.ts";
import type { ColdSync, Memory } from "./watcher-sync.ts";
import { latencies } from "./watcher-latency.ts";

const MIB = 1_048_576;
/** Memory limit in MiB: the chart's. */
const LIMIT = 256;

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

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

async function coldSync(cluster: Cluster, nats: NatsServer, namespace: string): Promise<ColdSync> {
  await using service = await startWatcher(cluster, nats, namespace);
  const running = { service, namespace };
  const seconds = await syncSeconds(running);
  const { peakMiB } = usageOf(service.pid);
  return { seconds, peakMiB, steady: await steadyMemory(running) };
}

/** Writes to the records so far. */
async function recordWrites(nats: NatsServer): Promise<number> {
  await using connection = await connectNats({ url: nats.url, name: "bench", logger: silent });
  return (await connection.jsm.streams.info("KV_sources")).state.last_seq;
}

export function line(name: string, numbers: readonly number[]): string {
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
  `  resident at its peak ${first.peakMiB.toFixed(0)} MiB, settled ${(first.steady.rss / MIB).toFixed(0)} MiB (heap and buffers ${(first.steady.heap / MIB).toFixed(1)} MiB)`,
);
await createSecrets(cluster, namespace, sources, 2 * sources);
await using secondNats = await startNats(options);
const second = await coldSync(cluster, secondNats, namespace);
print(
  `cold sync of ${2 * sources}: ${second.seconds.toFixed(2)} s, ${((2 * sources) / second.seconds).toFixed(0)} a second`,
);
print(
  `  resident at its peak ${second.peakMiB.toFixed(0)} MiB, settled ${(second.steady.rss / MIB).toFixed(0)} MiB (heap and buffers ${(second.steady.heap / MIB).toFixed(1)} MiB)`,
);
const grown = (key: keyof Memory) => (second.steady[key] - first.steady[key]) / sources;
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
