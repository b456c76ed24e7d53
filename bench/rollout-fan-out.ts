import { createApi } from "@rollcast/testkit/test-api";
import { tokenOf } from "@rollcast/testkit/users";
import { paths } from "@rollcast/testkit/objects";
import { waitFor } from "@rollcast/testkit/wait";
import { lanes } from "./lanes.ts";
import { spread, usageOf } from "./stats.ts";
import type { Bench } from "./rollout-bench.ts";
import { auditOf, countOf, list, markerOf, print, waitRolled } from "./rollout-bench.ts";

export const PATCHERS = 32;

/**
 * The same patches as the restarter's, as fast as plain connections can send them; patches a
 * second.
 */
async function rawRate(bench: Bench, round: string): Promise<number> {
  const api = createApi(bench.cluster.url, tokenOf("admin"), bench.cluster.caFile);
  const items = await list(bench);
  const began = performance.now();
  await lanes(items, PATCHERS, (deployment) =>
    api.call({
      method: "PATCH",
      path: paths.deployment(bench.namespace, deployment.metadata.name),
      contentType: "application/json-patch+json",
      body: [
        { op: "test", path: "/metadata/generation", value: deployment.metadata.generation },
        { op: "add", path: "/spec/template/metadata/annotations/bench", value: round },
      ],
    }),
  );
  const seconds = (performance.now() - began) / 1_000;
  await api[Symbol.asyncDispose]();
  return items.length / seconds;
}

/**
 * Changes the ConfigMap and waits until every Deployment carries the new marker; patches a second,
 * from the first PATCH to the last.
 */
async function rollcastRate(bench: Bench, round: string) {
  const before = new Map(
    (await list(bench)).map((deployment) => [deployment.metadata.name, markerOf(deployment)]),
  );
  const usage = usageOf(bench.restarter.pid);
  const from = Date.now();
  await bench.cluster.api.patch(paths.configMap(bench.namespace, "cfg"), { data: { a: round } });
  await waitFor(
    async () =>
      (await list(bench)).every(
        (deployment) => markerOf(deployment) !== before.get(deployment.metadata.name),
      ),
    { timeout: 120_000, every: 500, message: "every Deployment to be rolled" },
  );
  await waitRolled(bench);
  const cpu = usageOf(bench.restarter.pid).cpuSeconds - usage.cpuSeconds;
  const audit = await auditOf(bench, "restarter", from);
  const patches = audit.filter((line) => line.verb === "patch");
  const first = Math.min(...patches.map((line) => Date.parse(line.requestReceivedTimestamp)));
  const last = Math.max(...patches.map((line) => Date.parse(line.stageTimestamp)));
  return { rate: (patches.length / (last - first)) * 1_000, cpu, requests: countOf(audit) };
}

export async function fanOut(bench: Bench, count: number, rounds: number): Promise<void> {
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
