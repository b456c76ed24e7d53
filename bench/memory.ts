/**
 * What the services hold in memory, each alone and all in one process: what their images hold, with the image's flags and the heap of the chart's limit, as
 * pods with a service account. At each stage they are started anew over what is there: nothing, then the sources, then the workloads too. At last one
 * change rolls every workload and the receiver is told. Real control plane, NATS and Redis; Linux, as root (each service has a mount namespace of its own).
 *
 *     node bench/memory.ts [--shape services|all-in-one|both] [--sources 5000] [--workloads 500] [--limit 256] [--flags=...]
 */
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { createLogger } from "@rollcast/runtime/logger";
import { connectNats } from "@rollcast/nats/connect";
import type { AnyObject } from "@rollcast/testkit/client";
import { startCluster } from "@rollcast/testkit/cluster";
import type { Cluster } from "@rollcast/testkit/cluster";
import { startNats } from "@rollcast/testkit/nats";
import { configMap, createNamespace, deployment, paths, secret } from "@rollcast/testkit/objects";
import { startReceiver } from "@rollcast/testkit/receiver";
import { startRedis } from "@rollcast/testkit/redis";
import { startService } from "@rollcast/testkit/services";
import type { Service, ServiceName } from "@rollcast/testkit/services";
import { waitFor } from "@rollcast/testkit/wait";
import { nodeOptionsOf, openImages } from "./image.ts";
import type { Images } from "./image.ts";
import { lanes, numbers } from "./lanes.ts";
import { usageOf } from "./stats.ts";

const SHAPES = {
  services: ["watcher", "restarter", "notifier"],
  "all-in-one": ["all-in-one"],
} as const satisfies Readonly<Record<string, readonly ServiceName[]>>;
type Shape = keyof typeof SHAPES;

const WRITERS = 16;
const BYTES = 2_048;
/** Long enough for garbage to go and for what runs by the clock to have run. */
const SETTLE_MS = 30_000;
const LONG = { timeout: 600_000, every: 500 };
const silent = createLogger("bench", "silent");

const { values } = parseArgs({
  options: {
    shape: { type: "string", default: "both" },
    sources: { type: "string", default: "5000" },
    workloads: { type: "string", default: "500" },
    limit: { type: "string", default: "256" },
    flags: { type: "string" },
  },
});

const limit = Number(values.limit);
const more = values.flags?.split(" ") ?? [];

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function createSources({ api }: Cluster, namespace: string, count: number): Promise<void> {
  await lanes(numbers(0, count), WRITERS, (i) => {
    const data = { value: `${i}-`.repeat(BYTES).slice(0, BYTES) };
    return i % 2 === 0
      ? api.create(paths.configMap(namespace), configMap(namespace, `source-${i}`, data))
      : api.create(paths.secret(namespace), secret(namespace, `source-${i}`, data));
  });
}

/** Deployments that all use `cfg`. */
async function createWorkloads({ api }: Cluster, namespace: string, count: number): Promise<void> {
  await api.create(paths.configMap(namespace), configMap(namespace, "cfg", { a: "0" }));
  const uses = [{ as: "envFrom", configMap: "cfg" }] as const;
  await lanes(numbers(0, count), WRITERS, (i) => {
    const name = `web-${i}`;
    const shape = { uses, replicas: 0 };
    return api.create(paths.deployment(namespace), deployment(namespace, name, shape));
  });
}

type Bed = {
  readonly cluster: Cluster;
  readonly namespace: string;
  readonly natsUrl: string;
  start(): Promise<Service[]>;
  isTold(): boolean;
};

/** Waits until a bucket of NATS has so many records. */
async function waitRecorded({ natsUrl }: Bed, bucket: string, count: number): Promise<void> {
  await using nats = await connectNats({ url: natsUrl, name: "bench", logger: silent });
  const records = async () => (await nats.jsm.streams.info(`KV_${bucket}`)).state.num_subjects ?? 0;
  await waitFor(async () => (await records()) >= count, {
    ...LONG,
    message: `${count} records of ${bucket}`,
  });
}

async function areRolled({ cluster, namespace }: Bed): Promise<boolean> {
  const { items } = await cluster.api.get<{ items: AnyObject[] }>(paths.deployment(namespace));
  return items.every(({ metadata }) => metadata.generation === 2);
}

type Stage = {
  readonly name: string;
  /** Before the services start. */
  prepare?(bed: Bed): Promise<void>;
  /** Returns when they are where the stage wants them. */
  reach?(bed: Bed): Promise<void>;
};

function stages(sources: number, workloads: number): Stage[] {
  return [
    { name: "idle" },
    {
      name: `${sources} sources`,
      prepare: (bed) => createSources(bed.cluster, bed.namespace, sources),
      reach: (bed) => waitRecorded(bed, "sources", sources),
    },
    {
      name: `${sources} sources, ${workloads} workloads`,
      prepare: (bed) => createWorkloads(bed.cluster, bed.namespace, workloads),
      reach: (bed) => waitRecorded(bed, "workloads", workloads),
    },
    {
      name: "all of them rolled and told",
      async reach(bed) {
        const { cluster, namespace } = bed;
        await waitRecorded(bed, "workloads", workloads);
        await cluster.api.patch(paths.configMap(namespace, "cfg"), { data: { a: "1" } });
        await waitFor(() => areRolled(bed), { ...LONG, message: "every workload to be rolled" });
        await waitFor(() => bed.isTold(), { ...LONG, message: "the receiver to be told" });
      },
    },
  ];
}

async function startBed(shape: Shape, images: Images) {
  await using undo = new AsyncDisposableStack();
  const cluster = undo.use(await startCluster({ pods: false }));
  const nats = undo.use(await startNats());
  const redis = undo.use(await startRedis());
  const receiver = undo.use(await startReceiver());
  const { name: namespace } = undo.use(await createNamespace(cluster.api, "bench"));
  const url = `${receiver.url}/hook`;
  const security = { allowHttp: true, allowCidrs: ["127.0.0.0/8"], allowedPorts: [receiver.port] };
  const start = async (name: ServiceName) => {
    const image = await images.start(name, { cluster, user: "admin", limit, more });
    return startService(name, {
      ...image,
      config: {
        apiVersion: "rollcast.dev/v1",
        kind: "Config",
        cluster: "bench",
        notifier: {
          receivers: [{ name: "hook", webhook: { url, format: "cloudevents" }, security }],
        },
      },
      natsUrl: nats.url,
      redisUrl: redis.url,
      env: { ...image.env, ROLLCAST_NAMESPACE: namespace },
    });
  };
  const kept = undo.move();
  return {
    cluster,
    namespace,
    natsUrl: nats.url,
    isTold: () => receiver.received.some(({ body }) => body.includes("succeeded")),
    async start() {
      const services = await Promise.all(SHAPES[shape].map(start));
      await Promise.all(services.map((service) => service.waitReady(120_000)));
      return services;
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

async function measure(shape: Shape, images: Images) {
  await using bed = await startBed(shape, images);
  for (const stage of stages(Number(values.sources), Number(values.workloads))) {
    await stage.prepare?.(bed);
    const services = await bed.start();
    await stage.reach?.(bed);
    await sleep(SETTLE_MS);
    const held = services.map(({ name, pid }) => {
      const { residentMiB, peakMiB, cpuSeconds } = usageOf(pid);
      return `${name} ${residentMiB.toFixed(0)} / ${peakMiB.toFixed(0)}, ${cpuSeconds.toFixed(1)} s`;
    });
    print(`${stage.name.padEnd(36)} ${held.join("   ")}`);
    await Promise.all(services.map((service) => service[Symbol.asyncDispose]()));
  }
}

const shapes = (Object.keys(SHAPES) as Shape[]).filter(
  (shape) => values.shape === "both" || values.shape === shape,
);
await using images = await openImages(shapes.flatMap((shape) => [...SHAPES[shape]]));
const options = [...(await nodeOptionsOf(limit)), ...more];
print(`resident MiB, settled / peak, CPU seconds; ${options.join(" ")}`);
for (const shape of shapes) await measure(shape, images);
