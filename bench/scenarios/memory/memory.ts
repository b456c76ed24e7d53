import { setTimeout as sleep } from "node:timers/promises";
import { startCluster } from "@rollcast/testkit/cluster";
import { startNats } from "@rollcast/testkit/nats";
import { createNamespace } from "@rollcast/testkit/objects";
import { startReceiver } from "@rollcast/testkit/receiver";
import { startRedis } from "@rollcast/testkit/redis-server";
import { startService } from "@rollcast/testkit/services";
import type { ServiceName } from "@rollcast/testkit/services";
import { usageOf } from "../../lab/usage.ts";
import { sizeOf } from "../../lab/scenario.ts";
import type { Measurement, Scenario, Sizes, Subject } from "../../lab/scenario.ts";
import { stages } from "./stages.ts";

/** Long enough for garbage to go and for what runs by the clock to have run. */
const SETTLE_MS = 30_000;

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
