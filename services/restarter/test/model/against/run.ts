import fc from "fast-check";
import { mapLimit } from "@rollcast/async/map-limit";
import type { Api } from "@rollcast/testkit/test-api";
import { startArgoRollouts } from "@rollcast/testkit/argo-rollouts";
import { startCluster } from "@rollcast/testkit/cluster";
import type { ClusterAccess } from "@rollcast/testkit/write-kubeconfig";
import { nodeSchedules, rolloutSchedules, schedules } from "./arbitrary-schedule.ts";
import { judge } from "./judge.ts";
import type { Judgement } from "./judge.ts";
import { runSchedule } from "./run-schedule.ts";
import { traceText } from "./print-trace.ts";
import { scheduleText } from "./schedule.ts";
import type { Schedule } from "./schedule.ts";
import type { Trace } from "./trace.ts";

/** Namespaces at a time: most of a schedule is waiting until nothing moves. */
const CONCURRENCY = 10;
const MAX_SHORTER = 20;
const QUICK_STATES = 1_000;
/** For the few that are not decided by then: takes minutes. */
const LAST_STATES = 150_000;

export type Comparison = Judgement & { readonly schedule: Schedule; readonly trace: Trace };

type Cluster = ClusterAccess & { readonly api: Api };

export type AgainstOptions = {
  /** 200 by default. */
  readonly schedules?: number;
  readonly seed: number;
  /** Rollouts alone, beside Argo's own controller. */
  readonly argo?: boolean;
  /** Schedules in which nodes die and come back. */
  readonly nodes?: boolean;
  print(line: string): void;
};

/** Whether the model allows it; one that is not decided is no better than one that it does not. */
export function isFine(result: Comparison["result"]): boolean {
  return result === "allowed" || result === "allowed with kwok's deletions";
}

export function sampleSchedules(count: number, seed: number, from = schedules): Schedule[] {
  return fc.sample(from, { numRuns: count, seed });
}

/**
 * Whether it is worth waiting for more: not where the model cannot follow anyway. What a quick
 * search does not decide may be no end.
 */
function isEnd(trace: Trace): boolean {
  const { result, matched } = judge(trace, { maxStates: QUICK_STATES });
  return isFine(result) || (matched < trace.observations.length && result === "not allowed");
}

/**
 * Runs the schedules against the control plane, and then asks the model about what was observed.
 */
export async function compare(cluster: Cluster, given: readonly Schedule[]): Promise<Comparison[]> {
  const traces: { schedule: Schedule; trace: Trace }[] = [];
  await mapLimit(given, CONCURRENCY, async (schedule) => {
    traces.push({ schedule, trace: await runSchedule(cluster, schedule, isEnd) });
  });
  return traces.map(({ schedule, trace }) => {
    const judged = judge(trace);
    const isDecided = judged.result !== "too many states";
    return { schedule, trace, ...(isDecided ? judged : judge(trace, { maxStates: LAST_STATES })) };
  });
}

/**
 * What is left of a schedule that is still not allowed when one write after another is left out.
 */
async function shorten(cluster: Cluster, differing: Comparison): Promise<Comparison> {
  let shortest = differing;
  let runs = 0;
  for (let i = differing.schedule.writes.length - 1; i >= 0 && runs < MAX_SHORTER; i -= 1) {
    const writes = shortest.schedule.writes.toSpliced(i, 1);
    const [shorter] = await compare(cluster, [{ ...shortest.schedule, writes }]);
    runs += 1;
    if (shorter?.result === "not allowed") shortest = shorter;
  }
  return shortest;
}

function report(compared: readonly Comparison[], { print }: AgainstOptions): void {
  const of = (result: Comparison["result"]) =>
    compared.filter((comparison) => comparison.result === result);
  const observations = compared.reduce((sum, { trace }) => sum + trace.observations.length, 0);
  const states = compared.reduce((sum, comparison) => sum + comparison.states, 0);
  const kinds = Map.groupBy(compared, ({ trace }) => trace.kind);
  print([...kinds].map(([kind, some]) => `${some.length} ${kind}`).join(", "));
  print(`${observations} observations, ${states} states of the model`);
  const counts = [
    "allowed",
    "allowed with kwok's deletions",
    "not allowed",
    "too many states",
  ] as const;
  print(counts.map((result) => `${result}: ${of(result).length}`).join(", "));
  for (const { schedule } of of("too many states")) {
    print(`too many states to decide:\n${scheduleText(schedule)}`);
  }
}

function arbitraryOf({ argo, nodes }: AgainstOptions) {
  if (nodes === true) return nodeSchedules;
  return argo === true ? rolloutSchedules : schedules;
}

/**
 * Compares the model of the workload controllers with the real ones on a control plane of its own;
 * false where they did something that the model does not allow, or not in so many states.
 */
export async function runAgainstControllers(options: AgainstOptions): Promise<boolean> {
  const { schedules: count = 200, seed, print } = options;
  print(`model against controllers: ${count} schedules from seed ${seed}`);
  await using cluster = await startCluster({ nodesDie: options.nodes === true });
  await using _argo = options.argo === true ? await startArgoRollouts(cluster) : undefined;
  const compared = await compare(cluster, sampleSchedules(count, seed, arbitraryOf(options)));
  report(compared, options);
  const differing = compared
    .filter(({ result }) => result === "not allowed")
    .toSorted((a, b) => a.schedule.writes.length - b.schedule.writes.length)[0];
  if (differing === undefined) return compared.every(({ result }) => isFine(result));
  const shortest = await shorten(cluster, differing);
  print(
    `not allowed by the model:\n${scheduleText(shortest.schedule)}\n${traceText(shortest.trace, shortest)}`,
  );
  return false;
}
