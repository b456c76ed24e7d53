import { readFile } from "node:fs/promises";
import { paths } from "@rollcast/testkit/objects";
import { tokenOf } from "@rollcast/testkit/users";
import { Agent, request } from "undici";
import { numbers } from "../../lab/numbers.ts";
import { median, percentile } from "../../report/stats.ts";
import { sizeOf } from "../../lab/scenario.ts";
import type { Scenario } from "../../lab/scenario.ts";
import { markerOf, waitRolled, withPipeline } from "./pipeline.ts";
import type { Deployment, Pipeline } from "./pipeline.ts";

const NAME = "web-0";

/** Milliseconds of plain PATCHes of one Deployment, one at a time. */
async function rawLatency({ cluster, namespace }: Pipeline, count: number): Promise<number[]> {
  const times: number[] = [];
  for (const i of numbers(0, count)) {
    const began = performance.now();
    await cluster.api.patch(paths.deployment(namespace, NAME), {
      spec: { template: { metadata: { annotations: { bench: `latency ${i}` } } } },
    });
    times.push(performance.now() - began);
  }
  return times;
}

/** Calls `onMarker` for each marker that a watch of the Deployment shows, up to its disposal. */
async function watchMarkers({ cluster, namespace }: Pipeline, onMarker: () => void) {
  const stop = new AbortController();
  const url = new URL(paths.deployment(namespace), cluster.url);
  url.searchParams.set("watch", "1");
  url.searchParams.set("fieldSelector", `metadata.name=${NAME}`);
  const ca = await readFile(cluster.caFile, "utf8");
  const dispatcher = new Agent({ connect: { ca }, bodyTimeout: 0 });
  const headers = { authorization: `Bearer ${tokenOf("admin")}` };
  const { body } = await request(url, { dispatcher, headers, signal: stop.signal });
  const watch = async () => {
    let marker: string | undefined;
    let rest = "";
    for await (const chunk of body) {
      const lines = (rest + String(chunk)).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        const { object } = JSON.parse(line) as { object: Deployment };
        if (markerOf(object) === marker) continue;
        marker = markerOf(object);
        onMarker();
      }
    }
  };
  const watching = watch().catch(() => undefined);
  return {
    async [Symbol.asyncDispose]() {
      stop.abort();
      await watching;
      await dispatcher.destroy();
    },
  };
}

/**
 * Milliseconds from the answer to the change of the ConfigMap until a watch of the Deployment shows
 * its new template.
 */
async function changeLatency(pipeline: Pipeline, count: number): Promise<number[]> {
  let onMarker: (() => void) | undefined;
  await using _ = await watchMarkers(pipeline, () => onMarker?.());
  await waitRolled(pipeline);
  const { cluster, namespace } = pipeline;
  const times: number[] = [];
  for (const i of numbers(0, count)) {
    const shown = new Promise<void>((resolve) => {
      onMarker = resolve;
    });
    await cluster.api.patch(paths.configMap(namespace, "cfg"), { data: { a: `latency ${i}` } });
    const began = performance.now();
    await shown;
    times.push(performance.now() - began);
    await waitRolled(pipeline);
  }
  return times;
}

export const latency: Scenario = {
  name: "latency",
  about: "one Deployment, one change of its ConfigMap after the other, no window",
  services: ["watcher", "restarter"],
  sizes: { changes: 100 },
  measure: (subject, sizes) =>
    withPipeline(subject, { workloads: 1, window: "0" }, async (pipeline) => {
      const count = sizeOf(sizes, "changes");
      const raw = await rawLatency(pipeline, count);
      const change = await changeLatency(pipeline, count);
      return [
        { name: "raw PATCH, p50", unit: "ms", value: median(raw) },
        { name: "raw PATCH, p99", unit: "ms", value: percentile(raw, 0.99) },
        { name: "change to pod template, p50", unit: "ms", value: median(change) },
        { name: "change to pod template, p99", unit: "ms", value: percentile(change, 0.99) },
        { name: "p50 over raw", unit: "", value: median(change) / median(raw) },
      ];
    }),
};
