import { setTimeout as sleep } from "node:timers/promises";
import { startCluster } from "@rollcast/testkit/cluster";
import type { Cluster } from "@rollcast/testkit/cluster";
import { startNats } from "@rollcast/testkit/nats";
import { configMap, createNamespace, paths, secret } from "@rollcast/testkit/objects";
import { startReceiver } from "@rollcast/testkit/receiver";
import { startRedis } from "@rollcast/testkit/redis-server";
import { startService } from "@rollcast/testkit/services";
import type { Service, ServiceName } from "@rollcast/testkit/services";
import { mapLimit } from "@rollcast/async/map-limit";
import { connectNats } from "@rollcast/nats/connect";
import type { AnyObject } from "@rollcast/testkit/test-api";
import { deployment } from "@rollcast/testkit/deployment";
import { waitFor } from "@rollcast/testkit/wait";
import { usageOf } from "../../lab/usage.ts";
import { sizeOf } from "../../lab/scenario.ts";
import type { Measurement, Scenario, Sizes, Subject } from "../../lab/scenario.ts";
import { numbers } from "../../lab/numbers.ts";
import { silent } from "../../lab/silent.ts";

/** Long enough for garbage to go and for what runs by the clock to have run. */
const SETTLE_MS = 30_000;

const WRITERS = 16;
const BYTES = 2_048;
const LONG = { timeout: 600_000, every: 500 };

async function startBed(services: readonly ServiceName[], subject: Subject) {
  const { images, limit, nodeOptions } = subject;
  await using undo = new AsyncDisposableStack();
  const cluster = undo.use(await startCluster({ pods: false }));
  const nats = undo.use(await startNats());
  const redis = undo.use(await startRedis());
  const receiver = undo.use(await startReceiver());
  const { name: namespace } = await createNamespace(cluster.api, "bench");
  const url = `${receiver.url}/hook`;
  const security = { allowHttp: true, allowCidrs: ["127.0.0.0/8"], allowedPorts: [receiver.port] };
  const start = async (name: ServiceName) => {
    const image = await images.start(name, { cluster, user: "admin", limit, more: nodeOptions });
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
      const running = await Promise.all(services.map(start));
      await Promise.all(running.map((service) => service.waitReady(120_000)));
      return running;
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** The memory of each service, half a minute after the last work, in each stage. */
async function measure(
  services: readonly ServiceName[],
  subject: Subject,
  sizes: Sizes,
): Promise<Measurement[]> {
  await using bed = await startBed(services, subject);
  const measured: Measurement[] = [];
  for (const stage of stages(sizeOf(sizes, "sources"), sizeOf(sizes, "workloads"))) {
    await stage.prepare?.(bed);
    const running = await bed.start();
    await stage.reach?.(bed);
    await sleep(SETTLE_MS);
    for (const { name, pid } of running) {
      const { residentMiB, peakMiB, cpuSeconds } = usageOf(pid);
      const what = `${stage.name}: ${name}`;
      measured.push(
        { name: `${what}, resident`, unit: "MiB", value: residentMiB },
        { name: `${what}, peak`, unit: "MiB", value: peakMiB },
        { name: `${what}, CPU`, unit: "s", value: cpuSeconds },
      );
    }
    await Promise.all(running.map((service) => service[Symbol.asyncDispose]()));
  }
  return measured;
}

const SIZES: Sizes = { sources: 5_000, workloads: 500 };

function scenario(name: string, about: string, services: readonly ServiceName[]): Scenario {
  return {
    name,
    about,
    services,
    sizes: SIZES,
    measure: (subject, sizes) => measure(services, subject, sizes),
  };
}

export const memory = scenario("memory", "memory of each service, idle and with work done", [
  "watcher",
  "restarter",
  "notifier",
]);

export const combinedMemory = scenario(
  "memory-all-in-one",
  "the same of all services in one process",
  ["all-in-one"],
);

async function createSources({ api }: Cluster, namespace: string, count: number): Promise<void> {
  await mapLimit(numbers(0, count), WRITERS, async (i) => {
    const data = { value: `${i}-`.repeat(BYTES).slice(0, BYTES) };
    const name = `source-${i}`;
    if (i % 2 === 0) await api.create(paths.configMap(namespace), configMap(namespace, name, data));
    else await api.create(paths.secret(namespace), secret(namespace, name, data));
  });
}

/** Deployments that all use `cfg`. */
async function createWorkloads({ api }: Cluster, namespace: string, count: number): Promise<void> {
  await api.create(paths.configMap(namespace), configMap(namespace, "cfg", { a: "0" }));
  const uses = [{ as: "envFrom", configMap: "cfg" }] as const;
  await mapLimit(numbers(0, count), WRITERS, async (i) => {
    const name = `web-${i}`;
    const shape = { uses, replicas: 0 };
    await api.create(paths.deployment(namespace), deployment(namespace, name, shape));
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
      name: "all of them rolled and notified",
      async reach(bed) {
        const { cluster, namespace } = bed;
        await waitRecorded(bed, "workloads", workloads);
        await cluster.api.patch(paths.configMap(namespace, "cfg"), { data: { a: "1" } });
        await waitFor(() => areRolled(bed), { ...LONG, message: "every workload to be rolled" });
        await waitFor(() => bed.isTold(), { ...LONG, message: "the receiver to be notified" });
      },
    },
  ];
}
