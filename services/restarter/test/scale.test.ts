import { setTimeout as sleep } from "node:timers/promises";
import { paths } from "@rollcast/testkit/objects";
import type { Service } from "@rollcast/testkit/services";
import type { AnyObject } from "@rollcast/testkit/test-api";
import { expect, test } from "vitest";
import { faultsOf, startRestarterHarness, wordsOf } from "./harness.ts";
import type { RestarterHarness } from "./harness.ts";

const WORKLOADS = 40;
const CHANGES = 4;
/** How long each patch is on its way, so that a scale overtakes some of them on any machine. */
const PATCH_MS = 120;
/** Between two scales: each workload is scaled about once a second. */
const SCALE_MS = 20;
/** So many patches must have lost the race against a scale, or the test shows nothing. */
const MIN_CONFLICTS = 5;

/** A busy machine takes so long for 40 rollouts; what is refused would be tried again by then. */
const ROLLED_MS = 120_000;

type Scaled = AnyObject & { readonly status: { readonly observedGeneration?: number } };

/** Scales one workload after the other between 1 and 2, as an HPA does; counts them by name. */
async function scaleAll(
  { api, namespace }: RestarterHarness,
  names: readonly string[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, number>> {
  const counts = new Map(names.map((name) => [name, 0]));
  for (let i = 0; !signal.aborted; i++) {
    const name = names[i % names.length] ?? "";
    const { metadata, status } = await api.get<Scaled>(paths.deployment(namespace, name));
    await sleep(SCALE_MS);
    // On a busy machine too, its controller gets behind by one scale at most.
    if (status.observedGeneration !== metadata.generation) continue;
    const count = counts.get(name) ?? 0;
    const body = { spec: { replicas: count % 2 === 0 ? 2 : 1 } };
    await api.patch(`${paths.deployment(namespace, name)}/scale`, body, "hpa");
    counts.set(name, count + 1);
  }
  return counts;
}

async function conflictsOf(services: readonly Service[]): Promise<number> {
  const counts = services.map(async (service) => {
    const metrics = await (await fetch(`${service.http()}/metrics`)).text();
    return Number(/rollcast_patch_errors_total\{reason="Conflict"\} (\d+)/.exec(metrics)?.[1]);
  });
  return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
}

test("beside a loop of scales, 160 rollouts succeed once for each content, and none is published as failed", async () => {
  await using harness = await startRestarterHarness({ faultProxy: true });
  harness.proxy.rules([{ method: "PATCH", fault: { do: "delay", ms: PATCH_MS } }]);
  await harness.adopt("cfg", "0");
  const names = await harness.deployMany(WORKLOADS, 1);
  const restarters = await Promise.all([harness.start(), harness.start()]);
  await harness.waitAll(names);

  const stop = new AbortController();
  const scaling = scaleAll(harness, names, stop.signal);
  await using undo = new AsyncDisposableStack();
  undo.defer(async () => {
    stop.abort();
    await scaling;
  });
  for (let i = 1; i <= CHANGES; i++) {
    await harness.change("cfg", String(i));
    await harness.waitAll(names, ROLLED_MS);
  }
  stop.abort();
  const scales = await scaling;

  const events = await harness.events();
  const rollout = ["planned", "started", "succeeded"];
  const wanted = Array.from({ length: CHANGES }, () => rollout).flat();
  for (const name of names) {
    expect(wordsOf(events, name), name).toEqual(wanted);
    // Whatever else wrote the spec would be one more.
    const { generation } = (await harness.get(name)).metadata;
    expect(generation, name).toBe(1 + (scales.get(name) ?? 0) + CHANGES);
  }
  expect(faultsOf(events)).toEqual([]);
  expect(await conflictsOf(restarters)).toBeGreaterThanOrEqual(MIN_CONFLICTS);
});
