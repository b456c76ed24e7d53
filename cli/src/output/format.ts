import type { WorkloadState } from "@rollcast/shared/api/workload-views";
import { formatDuration } from "@rollcast/shared/duration";
import type { Style } from "./table.ts";

/** How long ago, or how long until, at `now` (milliseconds since the epoch). */
export function ago(time: string | undefined, now: number): string {
  if (time === undefined) return "";
  return `${formatDuration(Math.max(0, now - Date.parse(time)))} ago`;
}

export function until(time: string | undefined, now: number): string {
  if (time === undefined) return "";
  return `in ${formatDuration(Math.max(0, Date.parse(time) - now))}`;
}

const BAD: ReadonlySet<WorkloadState> = new Set(["failed", "halted"]);
const GOOD: ReadonlySet<WorkloadState> = new Set(["current"]);

export function styleOf(states: readonly WorkloadState[]): Style {
  if (states.some((state) => BAD.has(state))) return "bad";
  return states.every((state) => GOOD.has(state)) ? "good" : "warn";
}

/** Counts with their words: `2 failed, 1 stale`. */
export function counts(numbers: Readonly<Record<string, number | undefined>>): string {
  const nonZero = Object.entries(numbers).filter(([, count]) => (count ?? 0) > 0);
  return nonZero.map(([word, count]) => `${count} ${word}`).join(", ") || "none";
}
