import { readFile } from "node:fs/promises";
import { mapLimit } from "@rollcast/async/map-limit";
import { paths } from "@rollcast/testkit/objects";
import { createApi } from "@rollcast/testkit/test-api";
import { tokenOf } from "@rollcast/testkit/users";
import { waitFor } from "@rollcast/testkit/wait";
import type { Cluster } from "@rollcast/testkit/cluster";
import { numbers } from "../../lab/numbers.ts";
import { usageOf } from "../../lab/usage.ts";
import { median } from "../../report/stats.ts";
import { sizeOf } from "../../lab/scenario.ts";
import type { Scenario } from "../../lab/scenario.ts";
import { PATCHERS, list, markerOf, waitRolled, withPipeline } from "./pipeline.ts";
import type { Pipeline } from "./pipeline.ts";

/**
 * The same patches as the restarter's, as fast as plain connections can send them; patches a
 * second.
 */
async function rawRate(pipeline: Pipeline, value: string): Promise<number> {
  const { cluster, namespace } = pipeline;
  await using api = createApi(cluster.url, tokenOf("admin"), cluster.caFile);
  const items = await list(pipeline);
  const began = performance.now();
  await mapLimit(items, PATCHERS, ({ metadata }) =>
    api.call({
      method: "PATCH",
      path: paths.deployment(namespace, metadata.name),
      contentType: "application/json-patch+json",
      body: [
        { op: "test", path: "/metadata/generation", value: metadata.generation },
        { op: "add", path: "/spec/template/metadata/annotations/bench", value },
      ],
    }),
  );
  return items.length / ((performance.now() - began) / 1_000);
}

/**
 * Changes the ConfigMap and waits until every Deployment carries the new marker; patches a second,
 * from the first PATCH to the last, and the restarter's CPU seconds for them.
 */
async function rollcastRate(pipeline: Pipeline, value: string) {
  const { cluster, namespace, restarter } = pipeline;
  const before = new Map(
    (await list(pipeline)).map((item) => [item.metadata.name, markerOf(item)]),
  );
  const usage = usageOf(restarter.pid);
  const from = Date.now();
  await cluster.api.patch(paths.configMap(namespace, "cfg"), { data: { a: value } });
  await waitFor(
    async () =>
      (await list(pipeline)).every((item) => markerOf(item) !== before.get(item.metadata.name)),
    { timeout: 120_000, every: 500, message: "every Deployment to be rolled" },
  );
  await waitRolled(pipeline);
  const cpuSeconds = usageOf(restarter.pid).cpuSeconds - usage.cpuSeconds;
  const requests = await auditOf(cluster, "restarter", from);
  const patches = requests.filter(({ verb }) => verb === "patch");
  const first = Math.min(...patches.map((line) => Date.parse(line.requestReceivedTimestamp)));
  const last = Math.max(...patches.map((line) => Date.parse(line.stageTimestamp)));
  const rate = (patches.length / (last - first)) * 1_000;
  return { rate, cpuSeconds, requests: requests.length };
}

export const fanOut: Scenario = {
  name: "fan-out",
  about: "one ConfigMap that many Deployments use changes",
  services: ["watcher", "restarter"],
  sizes: { workloads: 200, changes: 3 },
  measure(subject, sizes) {
    const workloads = sizeOf(sizes, "workloads");
    return withPipeline(subject, { workloads, window: "1s" }, async (pipeline) => {
      const rounds: { raw: number; rolled: Awaited<ReturnType<typeof rollcastRate>> }[] = [];
      for (const i of numbers(0, sizeOf(sizes, "changes"))) {
        const raw = await rawRate(pipeline, `raw ${i}`);
        rounds.push({ raw, rolled: await rollcastRate(pipeline, `roll ${i}`) });
      }
      const { residentMiB, peakMiB } = usageOf(pipeline.restarter.pid);
      const middle = (of: (round: (typeof rounds)[number]) => number) => median(rounds.map(of));
      return [
        { name: "raw patches", unit: "1/s", value: middle(({ raw }) => raw) },
        { name: "patches", unit: "1/s", value: middle(({ rolled }) => rolled.rate) },
        { name: "over raw", unit: "", value: middle(({ raw, rolled }) => rolled.rate / raw) },
        {
          name: "requests of the restarter a rollout",
          unit: "",
          value: middle(({ rolled }) => rolled.requests / workloads),
        },
        {
          name: "CPU of the restarter a rollout",
          unit: "ms",
          value: middle(({ rolled }) => (rolled.cpuSeconds / workloads) * 1_000),
        },
        { name: "memory of the restarter, resident", unit: "MiB", value: residentMiB },
        { name: "memory of the restarter, peak", unit: "MiB", value: peakMiB },
      ];
    });
  },
};

/**
 * What is used of an audit Event:
 * https://kubernetes.io/docs/reference/config-api/apiserver-audit.v1/#audit-k8s-io-v1-Event
 */
type AuditLine = {
  readonly verb: string;
  readonly user: { readonly username: string };
  readonly requestReceivedTimestamp: string;
  readonly stageTimestamp: string;
  readonly stage: string;
};

/** A user's requests since `from` (milliseconds since 1970) that were answered. */
async function auditOf(cluster: Cluster, user: string, from: number): Promise<AuditLine[]> {
  const text = await readFile(cluster.auditLog ?? "", "utf8");
  return text
    .split("\n")
    .filter((line) => line.includes(`"username":"${user}"`))
    .map((line) => JSON.parse(line) as AuditLine)
    .filter((line) => line.stage === "ResponseComplete")
    .filter((line) => Date.parse(line.requestReceivedTimestamp) >= from);
}
