import { setTimeout as sleep } from "node:timers/promises";
import type { Api } from "@rollcast/testkit/test-api";
import { SOURCES, sourceObject } from "./fleet.ts";

/** One write of a source: which, with which content, how long after the begin. */
export type PlannedChange = {
  readonly source: string;
  readonly value: string;
  readonly afterMs: number;
};

/** Of so many changes one brings the content of before back, and one comes right behind another. */
const BACK = 5;
const BEHIND = 7;
/** Within a window, and not in it. */
const BEHIND_MS = [150, 400, 900];
/** Meets all sources in another order each time. */
const STRIDE = 7;

/** So many changes over a time, the same in every run. */
export function planChanges(count: number, durationMs: number): PlannedChange[] {
  const values = new Map(SOURCES.map((source) => [source, ["0"]]));
  const planned: PlannedChange[] = [];
  for (let i = 0; i < count; i++) {
    const before = planned.at(-1);
    const isBehind = before !== undefined && i % BEHIND === BEHIND - 1;
    const source = isBehind ? before.source : (SOURCES[(i * STRIDE) % SOURCES.length] ?? "");
    const history = values.get(source) ?? [];
    const isBack = (isBehind || i % BACK === BACK - 1) && history.length > 1;
    const value = (isBack ? history.at(-2) : undefined) ?? String(i + 1);
    history.push(value);
    const gap = BEHIND_MS[Math.floor(i / BEHIND) % BEHIND_MS.length] ?? 0;
    const afterMs = isBehind ? before.afterMs + gap : Math.floor((i * durationMs) / count);
    planned.push({ source, value, afterMs });
  }
  return planned;
}

/** Makes the changes when they are due, each as `kubectl edit` does. */
export async function makeChanges(
  api: Api,
  namespace: string,
  changes: readonly PlannedChange[],
): Promise<void> {
  const began = Date.now();
  for (const { source, value, afterMs } of changes) {
    await sleep(Math.max(0, began + afterMs - Date.now()));
    const { path, object } = sourceObject(namespace, source, value);
    const data = "stringData" in object ? { stringData: object.stringData } : { data: object.data };
    await api.patch(`${path}/${object.metadata.name}`, data, "kubectl-edit");
  }
}
