import fc from "fast-check";
import { mapLimit } from "@rollcast/async/map-limit";
import type { Api } from "@rollcast/testkit/client";
import type { ClusterAccess } from "@rollcast/testkit/kubeconfig";
import { schedules } from "./arbitrary-schedule.ts";
import { isAllowed } from "./is-allowed.ts";
import type { Verdict } from "./is-allowed.ts";
import { runSchedule } from "./run-schedule.ts";
import type { Schedule } from "./schedule.ts";
import type { Trace } from "./trace.ts";

/** Namespaces at a time: most of a schedule is waiting until nothing moves. */
const CONCURRENCY = 10;

export type Comparison = {
  readonly schedule: Schedule;
  readonly trace: Trace;
  readonly verdict: Verdict;
};

type Cluster = ClusterAccess & { readonly api: Api };

export function sampleSchedules(count: number, seed: number): Schedule[] {
  return fc.sample(schedules, { numRuns: count, seed });
}

/** Runs the schedules against the control plane, and asks the model about what was observed. */
export async function compare(cluster: Cluster, given: readonly Schedule[]): Promise<Comparison[]> {
  const compared: Comparison[] = [];
  await mapLimit(given, CONCURRENCY, async (schedule) => {
    const trace = await runSchedule(cluster, schedule);
    compared.push({ schedule, trace, verdict: isAllowed(trace) });
  });
  return compared;
}
