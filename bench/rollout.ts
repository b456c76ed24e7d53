/**
 * What a rollout costs: fan-out of one ConfigMap to many Deployments (replicas 0) beside the same patches sent by 32 plain connections, latency from
 * a change to the pod template beside the raw latency of a PATCH, and requests, CPU and memory per rollout. Real control plane, one run, ratios.
 *
 * Fan-outs run with the default window of 1 s, latencies with none. Watcher and restarter run as in pods (Linux, as root).
 *
 *     node bench/rollout.ts [--rounds 3] [--workloads 50,500] [--changes 100] [--limit 256] [--flags=...]
 */
import { readFile } from "node:fs/promises";
import process from "node:process";
import { parseArgs } from "node:util";
import type { AnyObject } from "@rollcast/testkit/client";
import { createApi } from "@rollcast/testkit/client";
import { startCluster } from "@rollcast/testkit/cluster";
import type { Cluster } from "@rollcast/testkit/cluster";
import { tokenOf } from "@rollcast/testkit/control-plane";
import { configMap, createNamespace, deployment, paths } from "@rollcast/testkit/objects";
import { startNats } from "@rollcast/testkit/nats";
import { startRedis } from "@rollcast/testkit/redis";
import { startService } from "@rollcast/testkit/services";
import type { Service } from "@rollcast/testkit/services";
import { waitFor } from "@rollcast/testkit/wait";
import { openImages } from "./image.ts";
import type { Images } from "./image.ts";
import { lanes } from "./lanes.ts";
import { median, percentile, spread, usageOf } from "./stats.ts";

const MARKER = "rollcast.dev/config";
const PATCHERS = 32;

type Bench = { cluster: Cluster; namespace: string; restarter: Service };
type Deployment = AnyObject & {
  metadata: { generation: number };
  spec: { template: { metadata: { annotations?: Record<string, string> } } };
};

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

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

async function list(bench: Bench): Promise<Deployment[]> {
  const { items } = await bench.cluster.api.get<{ items: Deployment[] }>(
    paths.deployment(bench.namespace),
  );
  return items;
}

/** The same patches as the restarter's, as fast as plain connections can send them; patches a second. */
async function rawRate(bench: Bench, round: string): Promise<number> {
  const api = createApi(bench.cluster.url, tokenOf("admin"), bench.cluster.caFile);
  const items = await list(bench);
  const began = performance.now();
  await lanes(items, PATCHERS, (one) =>
    api.call({
      method: "PATCH",
      path: paths.deployment(bench.namespace, one.metadata.name),
      contentType: "application/json-patch+json",
      body: [
        { op: "test", path: "/metadata/generation", value: one.metadata.generation },
        { op: "add", path: "/spec/template/metadata/annotations/bench", value: round },
      ],
    }),
  );
  const seconds = (performance.now() - began) / 1_000;
  await api[Symbol.asyncDispose]();
  return items.length / seconds;
}

type AuditLine = {
  verb: string;
  user: { username: string };
  objectRef?: { resource: string; namespace?: string };
  requestReceivedTimestamp: string;
  stageTimestamp: string;
  stage: string;
};

async function auditOf(bench: Bench, user: string, from: number): Promise<AuditLine[]> {
  const text = await readFile(bench.cluster.auditLog ?? "", "utf8");
  return text
    .split("\n")
    .filter((line) => line.includes(`"username":"${user}"`))
    .map((line) => JSON.parse(line) as AuditLine)
    .filter((line) => line.stage === "ResponseComplete")
    .filter((line) => Date.parse(line.requestReceivedTimestamp) >= from);
}

/** Changes the ConfigMap and waits until every Deployment carries the new marker; patches a second, from the first PATCH to the last. */
async function rollcastRate(bench: Bench, round: string) {
  const before = new Map((await list(bench)).map((one) => [one.metadata.name, markerOf(one)]));
  const usage = usageOf(bench.restarter.pid);
  const from = Date.now();
  await bench.cluster.api.patch(paths.configMap(bench.namespace, "cfg"), { data: { a: round } });
  await waitFor(
    async () => (await list(bench)).every((one) => markerOf(one) !== before.get(one.metadata.name)),
    { timeout: 120_000, every: 500, message: "every Deployment to be rolled" },
  );
  await settled(bench);
  const cpu = usageOf(bench.restarter.pid).cpuSeconds - usage.cpuSeconds;
  const audit = await auditOf(bench, "restarter", from);
  const patches = audit.filter((line) => line.verb === "patch");
  const first = Math.min(...patches.map((line) => Date.parse(line.requestReceivedTimestamp)));
  const last = Math.max(...patches.map((line) => Date.parse(line.stageTimestamp)));
  return { rate: (patches.length / (last - first)) * 1_000, cpu, requests: countOf(audit) };
}

function markerOf(one: Deployment): string | undefined {
  return one.spec.template.metadata.annotations?.[MARKER];
}

function countOf(audit: readonly AuditLine[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { verb, objectRef } of audit) {
    const name = `${verb} ${objectRef?.resource ?? "?"}`;
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

/** Waits until nothing is followed any more. */
async function settled(bench: Bench): Promise<void> {
  await waitFor(
    async () => {
      const text = await (await fetch(`${bench.restarter.http()}/metrics`)).text();
      return /^rollcast_workloads_followed 0$/m.test(text);
    },
    { timeout: 120_000, every: 200, message: "all rollouts to end" },
  );
}

async function fanOut(bench: Bench, count: number, rounds: number): Promise<void> {
  const raw: number[] = [];
  const rolled: number[] = [];
  const ratios: number[] = [];
  let last: Awaited<ReturnType<typeof rollcastRate>> | undefined;
  for (let round = 0; round < rounds; round++) {
    const plain = await rawRate(bench, `raw ${count} ${round}`);
    last = await rollcastRate(bench, `roll ${count} ${round}`);
    raw.push(plain);
    rolled.push(last.rate);
    ratios.push(last.rate / plain);
  }
  print(`fan-out to ${count} Deployments, ${rounds} rounds (min / median / max)`);
  print(`  raw patches a second, ${PATCHERS} connections   ${spread(raw)}`);
  print(`  Rollcast, patches a second              ${spread(rolled)}`);
  print(`  ratio                                   ${spread(ratios, 2)}`);
  const requests = Object.entries(last?.requests ?? {}).map(([name, n]) => `${name} ${n}`);
  print(`  requests of the restarter, last round   ${requests.join(", ")}`);
  print(`  its CPU seconds, last round             ${last?.cpu.toFixed(2) ?? "?"}`);
}

/** Milliseconds of plain PATCHes of one Deployment, one at a time. */
async function rawLatency(bench: Bench, name: string, count: number): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < count; i++) {
    const began = performance.now();
    await bench.cluster.api.patch(paths.deployment(bench.namespace, name), {
      spec: { template: { metadata: { annotations: { bench: `latency ${i}` } } } },
    });
    times.push(performance.now() - began);
  }
  return times;
}

/** Milliseconds from the answer to the change of the ConfigMap until a watch of the Deployment shows its new template. */
async function changeLatency(bench: Bench, name: string, count: number): Promise<number[]> {
  const stop = new AbortController();
  const url = new URL(paths.deployment(bench.namespace), bench.cluster.url);
  url.searchParams.set("watch", "1");
  url.searchParams.set("fieldSelector", `metadata.name=${name}`);
  let seen: (() => void) | undefined;
  let marker: string | undefined;
  const { request, Agent } = await import("undici");
  const ca = await readFile(bench.cluster.caFile, "utf8");
  const dispatcher = new Agent({ connect: { ca }, bodyTimeout: 0 });
  const headers = { authorization: `Bearer ${tokenOf("admin")}` };
  const { body } = await request(url, { dispatcher, headers, signal: stop.signal });
  const watching = (async () => {
    let rest = "";
    for await (const chunk of body) {
      const lines = (rest + String(chunk)).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        const { object } = JSON.parse(line) as { object: Deployment };
        if (markerOf(object) === marker) continue;
        marker = markerOf(object);
        seen?.();
      }
    }
  })().catch(() => undefined);
  await settled(bench);
  const times: number[] = [];
  for (let i = 0; i < count; i++) {
    const shown = new Promise<void>((resolve) => {
      seen = resolve;
    });
    await bench.cluster.api.patch(paths.configMap(bench.namespace, "cfg"), {
      data: { a: `latency ${i}` },
    });
    const began = performance.now();
    await shown;
    times.push(performance.now() - began);
    await settled(bench);
  }
  stop.abort();
  await watching;
  await dispatcher.destroy();
  return times;
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
  await settled(bench);
  await body(bench);
}

async function latency(bench: Bench, changes: number): Promise<void> {
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
