import { readFileSync } from "node:fs";

/** The value below which `share` (0 to 1) of the numbers lie. */
export function percentile(numbers: readonly number[], share: number): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

export function median(numbers: readonly number[]): number {
  return percentile(numbers, 0.5);
}

/** `min / median / max`, rounded to `digits`. */
export function spread(numbers: readonly number[], digits = 1): string {
  return [percentile(numbers, 0), median(numbers), percentile(numbers, 1)]
    .map((number) => number.toFixed(digits))
    .join(" / ");
}

/** CPU seconds used so far and resident MiB of a process, from /proc (Linux only). */
export function usageOf(pid: number): { cpuSeconds: number; residentMiB: number; peakMiB: number } {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const ticks = Number(fields[11]) + Number(fields[12]);
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const kib = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1] ?? 0);
  return {
    cpuSeconds: ticks / 100,
    residentMiB: kib("VmRSS") / 1_024,
    peakMiB: kib("VmHWM") / 1_024,
  };
}
