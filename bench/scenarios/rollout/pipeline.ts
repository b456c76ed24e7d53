import { mapLimit } from "@rollcast/async/map-limit";
import type { AnyObject } from "@rollcast/testkit/test-api";
import { startCluster } from "@rollcast/testkit/cluster";
import type { Cluster } from "@rollcast/testkit/cluster";
import { deployment } from "@rollcast/testkit/deployment";
import { startNats } from "@rollcast/testkit/nats";
import { configMap, createNamespace, paths } from "@rollcast/testkit/objects";
import { startRedis } from "@rollcast/testkit/redis-server";
import { startService } from "@rollcast/testkit/services";
import type { Service } from "@rollcast/testkit/services";
import { waitFor } from "@rollcast/testkit/wait";
import { grantAll } from "../../lab/grant-all.ts";
import type { Subject } from "../../lab/scenario.ts";

const MARKER = "rollcast.dev/config";
const WRITERS = 16;
/** Patches at once, of the restarter and of who is compared with it. */
export const PATCHERS = 32;

/** Watcher and restarter over one namespace of Deployments that use the ConfigMap `cfg`. */
export type Pipeline = {
  readonly cluster: Cluster;
  readonly namespace: string;
  readonly restarter: Service;
};

export type Deployment = AnyObject & {
  metadata: { generation: number };
  spec: { template: { metadata: { annotations?: Record<string, string> } } };
};

export async function list({ cluster, namespace }: Pipeline): Promise<Deployment[]> {
  const { items } = await cluster.api.get<{ items: Deployment[] }>(paths.deployment(namespace));
  return items;
}

export function markerOf(workload: Deployment): string | undefined {
  return workload.spec.template.metadata.annotations?.[MARKER];
}

/** Waits until nothing is followed any more. */
export async function waitRolled({ restarter }: Pipeline): Promise<void> {
  await waitFor(
    async () => {
      const text = await (await fetch(`${restarter.http()}/metrics`)).text();
      return /^rollcast_workloads_in_progress 0$/m.test(text);
    },
    { timeout: 120_000, every: 200, message: "all rollouts to end" },
  );
}

async function createWorkloads(
  { api }: Cluster,
  namespace: string,
  names: readonly string[],
): Promise<void> {
  await api.create(paths.configMap(namespace), configMap(namespace, "cfg", { a: "0" }));
  const shape = {
    uses: [{ as: "envFrom", configMap: "cfg" }],
    podAnnotations: { bench: "0" },
    replicas: 0,
  } as const;
  await mapLimit(names, WRITERS, (name) =>
    api.create(paths.deployment(namespace), deployment(namespace, name, shape)),
  );
}

/** Starts everything, waits until it is at rest, and ends it after `work`. */
export async function withPipeline<T>(
  { images, limit, nodeOptions }: Subject,
  { workloads, window }: { readonly workloads: number; readonly window: string },
  work: (pipeline: Pipeline) => Promise<T>,
): Promise<T> {
  await using cluster = await startCluster({ audit: "requests", pods: false });
  await using nats = await startNats();
  await using redis = await startRedis();
  await grantAll(cluster, ["watcher", "restarter"]);
  const { name: namespace } = await createNamespace(cluster.api, "bench");
  const names = Array.from({ length: workloads }, (_, i) => `web-${i}`);
  await createWorkloads(cluster, namespace, names);
  const config = {
    apiVersion: "rollcast.dev/v1",
    kind: "Config",
    cluster: "bench",
    scope: { namespaces: [namespace] },
    queues: [{ name: "default", window, concurrency: PATCHERS }],
    rollout: { loopBreaker: { maxRollouts: 1_000 } },
  };
  const start = async (user: "watcher" | "restarter") => {
    const image = await images.start(user, { cluster, user, limit, more: nodeOptions });
    const env = { ...image.env, ROLLCAST_NAMESPACE: namespace };
    return startService(user, { ...image, config, natsUrl: nats.url, redisUrl: redis.url, env });
  };
  await using watcher = await start("watcher");
  await using restarter = await start("restarter");
  await Promise.all([watcher.waitReady(60_000), restarter.waitReady(60_000)]);
  const pipeline: Pipeline = { cluster, namespace, restarter };
  await waitRolled(pipeline);
  return await work(pipeline);
}
