import type { WorkloadKind } from "@rollcast/kube/workloads/kind";
import { argoRollout } from "@rollcast/kube/workloads/argo-rollout";
import { cronJob } from "@rollcast/kube/workloads/cronjob";
import { daemonSet } from "@rollcast/kube/workloads/daemonset";
import { deployment } from "@rollcast/kube/workloads/deployment";
import { deploymentConfig } from "@rollcast/kube/workloads/deploymentconfig";
import { genericKind } from "@rollcast/kube/workloads/generic";
import { job } from "@rollcast/kube/workloads/job";
import { statefulSet } from "@rollcast/kube/workloads/statefulset";
import type { Config } from "@rollcast/shared/config/schema";
import type { ProgressCheck } from "@rollcast/runtime/health/liveness";
import type { Metrics } from "@rollcast/runtime/metrics";
import { watchKind } from "./kind-watch.ts";
import type { KindWatch, KindWatchOptions } from "./kind-watch.ts";

/** The built-in kinds, in the order of docs/kinds.md. */
const KINDS: readonly WorkloadKind[] = [
  deployment,
  statefulSet,
  daemonSet,
  cronJob,
  job,
  argoRollout,
  deploymentConfig,
];

/** The kinds that are rolled: built-in ones except the excluded, and those of the configuration. */
export function kindsOf({ reload, kinds }: Pick<Config, "reload" | "kinds">): WorkloadKind[] {
  const ignored = new Set<string>(reload.ignoredWorkloadTypes);
  return [...KINDS.filter(({ plural }) => !ignored.has(plural)), ...kinds.map(genericKind)];
}

/** The watch of every workload kind. */
export type WatchedKinds = {
  /**
   * Resolves when every kind is listed, not served, or not permitted, but for optional ones whose
   * own API fails.
   */
  readonly stateKnown: Promise<unknown>;
  ready(): string | undefined;
  /** The watches that no API server fault keeps silent. */
  progress(): ProgressCheck[];
  /** What is missing although the service is ready. */
  notes(): string[];
  /**
   * The longest time in milliseconds since a watch proved that it delivers; undefined if none does.
   */
  staleness(): number | undefined;
};

/** Follows `kinds`; pushes what it opens on `stack`. */
export function watchKinds(
  options: KindWatchOptions & { metrics: Metrics; stack: AsyncDisposableStack },
  kinds: readonly WorkloadKind[],
): WatchedKinds {
  const { metrics, stack } = options;
  const watches = kinds.map((kind) => stack.use(watchKind(options, kind)));
  metrics.gauge(
    "rollcast_watch_staleness_seconds",
    "Since the watch last proved that it delivers",
    ["resource"],
    (gauge) => {
      gauge.reset();
      for (const watch of watches) {
        const stale = watch.staleness();
        if (stale !== undefined) gauge.set({ resource: stale.resource }, stale.ms / 1_000);
      }
    },
  );
  metrics.gauge(
    "rollcast_kind_forbidden",
    "Namespaces in which a workload kind may not be listed (1 if one watch covers all)",
    ["kind"],
    (gauge) => {
      for (const watch of watches) gauge.set({ kind: watch.kind }, watch.forbidden());
    },
  );
  metrics.gauge(
    "rollcast_kind_unavailable",
    "1 while the API of an optional kind fails: its workloads are not rolled, its sources not seen",
    ["kind"],
    (gauge) => {
      for (const watch of watches) {
        gauge.set({ kind: watch.kind }, watch.unavailable() === undefined ? 0 : 1);
      }
    },
  );
  return {
    stateKnown: Promise.all(watches.map((watch) => watch.stateKnown)),
    ready: () => faultOf(watches),
    progress: () =>
      watches
        .map((watch) => watch.silence())
        .filter((silence) => silence !== undefined)
        .map(({ resource, ms }) => ({ what: `${resource}: nothing consumed`, ms })),
    notes: () => watches.flatMap(noteOf),
    staleness() {
      const times = watches.flatMap((watch) => watch.staleness()?.ms ?? []);
      return times.length === 0 ? undefined : Math.max(...times);
    },
  };
}

function noteOf(watch: KindWatch): string[] {
  if (watch.forbidden() > 0) return [`${watch.kind} is not followed: no permission to list it`];
  const fault = watch.unavailable();
  return fault === undefined ? [] : [`${watch.kind} is not followed, its API fails: ${fault}`];
}

function faultOf(watches: readonly KindWatch[]): string | undefined {
  for (const watch of watches) {
    const fault = watch.fault();
    if (fault !== undefined) return `${watch.kind}: ${fault}`;
  }
  const all = watches.every((watch) => !watch.watching());
  return all ? "no kind of workload can be followed" : undefined;
}
