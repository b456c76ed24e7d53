import type { Metrics } from "@rollcast/runtime/metrics";
import { RetryLaterError } from "@rollcast/shared/errors";
import type { Context } from "../context.ts";
import { namedWorkloads } from "../model/workload.ts";
import type { WorkloadKey } from "../model/workload.ts";
import { startProgressWatch } from "./progress-watch.ts";
import type { ProgressWatch } from "./progress-watch.ts";
import { reconcile } from "./reconcile.ts";
import type { ReconcileResult } from "./reconcile.ts";
import { createWorkqueue } from "@rollcast/async/workqueue";
import type { Readiness, Workqueue } from "@rollcast/async/workqueue";

const CONCURRENCY = 32;

/** What reconciles workloads as they and their records change. */
type Reconciler = AsyncDisposable & {
  readonly workqueue: Workqueue<WorkloadKey>;
  readonly progress: ProgressWatch;
};

/** What the reconciler's queue needs. */
type ReconcileOptions = {
  /** Enqueues a job for what remains: a reconciler has no effects. */
  readonly requeue: (key: WorkloadKey, result: ReconcileResult) => Promise<void>;
  /** The index is filled: before, a workload that is not in it is not gone. Must not reject. */
  readonly indexed: Promise<void>;
};

type ReconcilerOptions = ReconcileOptions & {
  readonly metrics: Metrics;
  /** Ends the watch of the records; disposal ends the work. */
  readonly signal: AbortSignal;
};

/** Reconciles what is enqueued, and enqueues what may have progressed, until disposal. */
export function startReconciler(ctx: Context, options: ReconcilerOptions): Reconciler {
  const { metrics, signal } = options;
  const workqueue = createReconcileQueue(ctx, options);
  startQueueMetrics(metrics, workqueue);
  const progress = startProgressWatch(ctx, workqueue.enqueue, signal);
  startProgressMetrics(metrics, progress);
  return { workqueue, progress, [Symbol.asyncDispose]: () => workqueue[Symbol.asyncDispose]() };
}

/** Reconciles each key that is enqueued, without effects, once what it decides on is there. */
export function createReconcileQueue(
  ctx: Context,
  { requeue, indexed }: ReconcileOptions,
): Workqueue<WorkloadKey> {
  const workqueue = createWorkqueue<WorkloadKey>(
    async (key) => {
      try {
        await requeue(key, await reconcile(ctx, key));
      } catch (err) {
        if (!(err instanceof RetryLaterError)) throw err;
        // The bucket `control` has a gap since it began: it waits with the others.
        workqueue.enqueue(key);
      }
    },
    {
      concurrency: CONCURRENCY,
      readiness: readinessOf(ctx, indexed),
      onFailure: (err, workload, attempt) =>
        ctx.logger.warn({ err, workload, attempt }, "reconcile failed, requeued with backoff"),
    },
  );
  return workqueue;
}

/** The index is filled, and the bucket `control` has no gap. */
function readinessOf({ admission }: Context, indexed: Promise<void>): Readiness {
  let isIndexed = false;
  const noteIndexed = async () => {
    await indexed;
    isIndexed = true;
  };
  const noted = noteIndexed();
  return {
    isReady: () => isIndexed && admission.isSynced(),
    ready: () => Promise.all([noted, admission.synced()]),
  };
}

/** Gauges of the workloads with unfinished rollouts. */
function startProgressMetrics(metrics: Metrics, progress: ProgressWatch): void {
  metrics.gauge(
    "rollcast_workloads_in_progress",
    "Workloads whose rollout is due or unfinished",
    [],
    (g) => g.set(progress.count()),
  );
  metrics.gauge(
    "rollcast_stale_workloads",
    "Workloads whose pods do not run the present content of their sources",
    [],
    (g) => g.set(progress.stale().count),
  );
  metrics.gauge(
    "rollcast_stale_workloads_oldest_seconds",
    "How long the longest of them has been so",
    [],
    (g) => {
      const { since } = progress.stale();
      g.set(since === undefined ? 0 : (Date.now() - since) / 1_000);
    },
  );
}

/**
 * A line behind the `ok` of `/readyz` while workloads cannot be reconciled, which keep no others;
 * the log names each.
 */
export function failingNotes({ failing }: Pick<Workqueue<WorkloadKey>, "failing">): string[] {
  const keys = failing();
  if (keys.length === 0) return [];
  return [`reconciling fails, and is tried again: ${namedWorkloads(keys)}`];
}

/** Counts them, and those that wait. */
function startQueueMetrics(metrics: Metrics, workqueue: Workqueue<WorkloadKey>): void {
  metrics.gauge(
    "rollcast_workloads_waiting",
    "Workloads that wait to be looked at; many for long where what decisions need cannot be read, which /readyz says",
    [],
    (gauge) => gauge.set(workqueue.waiting()),
  );
  metrics.gauge(
    "rollcast_workloads_failing",
    "Workloads whose reconciliation fails again and again; /readyz and the log name them",
    [],
    (gauge) => gauge.set(workqueue.failing().length),
  );
}
