import { readFile } from "node:fs/promises";
import { tokenOf } from "@rollcast/testkit/users";
import { paths } from "@rollcast/testkit/objects";
import type { Bench, Deployment } from "./rollout-bench.ts";
import { markerOf, waitRolled } from "./rollout-bench.ts";

/** Milliseconds of plain PATCHes of one Deployment, one at a time. */
export async function rawLatency(bench: Bench, name: string, count: number): Promise<number[]> {
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

/**
 * Milliseconds from the answer to the change of the ConfigMap until a watch of the Deployment shows
 * its new template.
 */
export async function changeLatency(bench: Bench, name: string, count: number): Promise<number[]> {
  const stop = new AbortController();
  const url = new URL(paths.deployment(bench.namespace), bench.cluster.url);
  url.searchParams.set("watch", "1");
  url.searchParams.set("fieldSelector", `metadata.name=${name}`);
  let onMarker: (() => void) | undefined;
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
        onMarker?.();
      }
    }
  })().catch(() => undefined);
  await waitRolled(bench);
  const times: number[] = [];
  for (let i = 0; i < count; i++) {
    const shown = new Promise<void>((resolve) => {
      onMarker = resolve;
    });
    await bench.cluster.api.patch(paths.configMap(bench.namespace, "cfg"), {
      data: { a: `latency ${i}` },
    });
    const began = performance.now();
    await shown;
    times.push(performance.now() - began);
    await waitRolled(bench);
  }
  stop.abort();
  await watching;
  await dispatcher.destroy();
  return times;
}
