import { parseArgs } from "node:util";
import { startCluster } from "@rollcast/testkit/cluster";
import type { Cluster } from "@rollcast/testkit/cluster";
import { configMap, createNamespace, paths } from "@rollcast/testkit/objects";
import { deployment } from "@rollcast/testkit/deployment";
import { startNats } from "@rollcast/testkit/nats";
import { startRedis } from "@rollcast/testkit/redis-server";
import { startService } from "@rollcast/testkit/services";
import { openImages } from "./image.ts";
import type { Images } from "./image.ts";
import { lanes } from "./lanes.ts";
import { median, percentile, usageOf } from "./stats.ts";
import type { Bench } from "./rollout-bench.ts";
import { print, waitRolled } from "./rollout-bench.ts";
import { PATCHERS, fanOut } from "./rollout-fan-out.ts";
import { changeLatency, rawLatency } from "./rollout-latency.ts";

async function grantAll(cluster: Cluster, users: readonly string[]): Promise<void> {
  for (const name of users) {
    await cluster.api.create("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "ClusterRoleBinding",
      metadata: { name: `bench-${name}` },
      roleRef: {
        apiGroup: "rbac.authorization.k8s.io",
        kind: "ClusterRole",
        name: "cluster-admin",
      },
      subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name }],
    });
  }
}

type Servers = { cluster: Cluster; images: Images; natsUrl: string; redisUrl: string };

/** Watcher and restarter over one namespace of `count` Deployments that use the ConfigMap `cfg`. */
async function withPipeline(
  servers: Servers,
  { count, window }: { count: number; window: string },
  body: (bench: Bench) => Promise<void>,
): Promise<void> {
  const { cluster, images, natsUrl, redisUrl } = servers;
  await using namespace = await createNamespace(cluster.api, "bench");
  const names = Array.from({ length: count }, (_, i) => `web-${i}`);
  await cluster.api.create(
    paths.configMap(namespace.name),
    configMap(namespace.name, "cfg", { a: "0" }),
  );
  await lanes(names, 16, (name) =>
    cluster.api.create(
      paths.deployment(namespace.name),
      deployment(namespace.name, name, {
        uses: [{ as: "envFrom", configMap: "cfg" }],
        podAnnotations: { bench: "0" },
        replicas: 0,
      }),
    ),
  );
  const config = {
    apiVersion: "rollcast.dev/v1",
    kind: "Config",
    cluster: namespace.name,
    scope: { namespaces: [namespace.name] },
    queues: [{ name: "default", window, concurrency: PATCHERS }],
    rollout: { loopBreaker: { maxRollouts: 1_000 } },
  };
  const start = async (user: "watcher" | "restarter") => {
    const image = await images.start(user, { cluster, user, limit, more });
    const env = { ...image.env, ROLLCAST_NAMESPACE: namespace.name };
    return startService(user, { ...image, config, natsUrl, redisUrl, env });
  };
  await using watcher = await start("watcher");
  await using restarter = await start("restarter");
  await Promise.all([watcher.waitReady(60_000), restarter.waitReady(60_000)]);
  const bench: Bench = { cluster, namespace: namespace.name, restarter };
  await waitRolled(bench);
  await body(bench);
}

export async function latency(bench: Bench, changes: number): Promise<void> {
  const raw = await rawLatency(bench, "web-0", changes);
  const change = await changeLatency(bench, "web-0", changes);
  const of = (times: number[]) =>
    `${median(times).toFixed(1)}, ${percentile(times, 0.99).toFixed(1)}`;
  print(`latency, ${changes} changes one at a time, window 0 (ms: p50, p99)`);
  print(`  raw PATCH of a Deployment               ${of(raw)}`);
  print(`  change of the ConfigMap -> pod template ${of(change)}`);
}

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "3" },
    workloads: { type: "string", default: "50,500" },
    changes: { type: "string", default: "100" },
    limit: { type: "string", default: "256" },
    flags: { type: "string" },
  },
});

const limit = Number(values.limit);

const more = values.flags?.split(" ") ?? [];

await using cluster = await startCluster({ audit: true, pods: false });

await using nats = await startNats();

await using redis = await startRedis();

await grantAll(cluster, ["watcher", "restarter"]);

await using images = await openImages(["watcher", "restarter"]);

const servers = { cluster, images, natsUrl: nats.url, redisUrl: redis.url };

for (const count of values.workloads.split(",").map(Number)) {
  await withPipeline(servers, { count, window: "1s" }, async (bench) => {
    await fanOut(bench, count, Number(values.rounds));
    const { residentMiB, peakMiB } = usageOf(bench.restarter.pid);
    const memory = `${residentMiB.toFixed(0)} / ${peakMiB.toFixed(0)}`;
    print(`  its memory, resident / peak MiB         ${memory}`);
  });
}

await withPipeline(servers, { count: 1, window: "0" }, (bench) =>
  latency(bench, Number(values.changes)),
);
