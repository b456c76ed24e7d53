import { readFileSync } from "node:fs";

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
