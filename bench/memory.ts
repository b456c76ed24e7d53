import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { startCluster } from "@rollcast/testkit/cluster";
import { startNats } from "@rollcast/testkit/nats";
import { createNamespace } from "@rollcast/testkit/objects";
import { startReceiver } from "@rollcast/testkit/receiver";
import { startRedis } from "@rollcast/testkit/redis-server";
import { startService } from "@rollcast/testkit/services";
import type { ServiceName } from "@rollcast/testkit/services";
import { nodeOptionsOf, openImages } from "./image.ts";
import type { Images } from "./image.ts";
import { usageOf } from "./stats.ts";
import { SHAPES, stages } from "./memory-shapes.ts";
import type { Shape } from "./memory-shapes.ts";

/** Long enough for garbage to go and for what runs by the clock to have run. */
const SETTLE_MS = 30_000;

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
