import { stableId } from "@rollcast/shared/events";
import type { SourceRecord } from "@rollcast/shared/records";
import type { SourceKey } from "../model/content.ts";
import type { Change } from "../model/control-entry.ts";
import { failuresOf } from "./change-failures.ts";
import type { Delay } from "./throttle.ts";
import type { AdmissionState } from "./decision-input.ts";

const ID_LENGTH = 16;

/**
 * The last change of each source. Different content, or the same content again later, is a new
 * change.
 */
export function changesOf(
  sources: ReadonlyMap<SourceKey, SourceRecord | undefined>,
  keys: readonly SourceKey[],
): Change[] {
  return keys.toSorted().flatMap((key) => {
    const source = sources.get(key);
    if (source === undefined) return [];
    const digests = JSON.stringify(Object.entries(source.digests).toSorted());
    const time = source.changedAt ?? source.createdAt;
    const id = stableId(key, source.uid, String(time), digests).slice(0, ID_LENGTH);
    return [{ source: key, id }];
  });
}

function until(at: number | undefined): { at?: number } {
  return at === undefined ? {} : { at };
}

/**
 * Why no rollout of `changes` may begin now; undefined if it may. Quota is checked last, elsewhere.
 */
export function blockingGate(
  admission: AdmissionState,
  changes: readonly Change[],
): Delay | undefined {
  const { frozen, paused, failures, haltAfter } = admission;
  if (frozen !== undefined) return { reason: "Frozen", ...until(frozen.until) };
  if (failuresOf(failures, changes) >= haltAfter) return { reason: "Halted" };
  if (paused !== undefined) return { reason: "QueuePaused", ...until(paused.until) };
  return undefined;
}

const GATES: ReadonlySet<string> = new Set(["Frozen", "Halted", "QueuePaused", "MaxRolling"]);

/** Whether a deferral for this reason waits for a gate to open, not for a time. */
export function isGate(reason: string): boolean {
  return GATES.has(reason);
}
