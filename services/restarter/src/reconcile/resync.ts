import { setTimeout as sleep } from "node:timers/promises";
import { createInFlight } from "@rollcast/async/in-flight";
import type { InFlight } from "@rollcast/async/in-flight";
import type { Context } from "../context.ts";
import type { ProgressWatch } from "./progress-watch.ts";
import type { Workqueue } from "@rollcast/async/workqueue";
import { workloadKey } from "../model/workload.ts";
import type { WorkloadKey } from "../model/workload.ts";

/**
 * Compares every workload with its sources. The resync, not any queue, guarantees that nothing is
 * lost.
 */
export type Resync = AsyncDisposable & {
  now(trigger: string): void;
  /**
   * How long it has been waiting for the records to be listed, if it is; the resync does not wait
   * for what it enqueues.
   */
  inFlightMs(): number;
};

/** The longest wait for a resync's reconciliations; never past the next resync. */
const SETTLED_MS = 60_000;

/**
 * Enqueues every opted-in workload and every record for reconciliation, which adopts, follows, ends
 * and enqueues what is due; returns their number.
 */
async function enqueue(
  ctx: Context,
  workqueue: Workqueue<WorkloadKey>,
  progress: ProgressWatch,
): Promise<number> {
  const keys = new Set<WorkloadKey>();
  await ctx.recordCache.synced();
  for (const { value } of ctx.recordCache.list()) {
    progress.observe(value);
    keys.add(workloadKey(value));
  }
  for (const workload of ctx.index.all()) {
    if (workload.mayRoll) keys.add(workloadKey(workload));
  }
  for (const key of keys) workqueue.enqueue(key);
  return keys.size;
}

/**
 * Runs one resync, until everything it enqueued is reconciled or `waitMs` have passed: one failing
 * workload must not delay the next resync of the others.
 */
async function resync(
  ctx: Context,
  workqueue: Workqueue<WorkloadKey>,
  progress: ProgressWatch,
  { hand, signal, waitMs }: { hand: InFlight; signal: AbortSignal; waitMs: number },
): Promise<void> {
  const began = Date.now();
  const end = hand.begin();
  const workloads = await enqueue(ctx, workqueue, progress).finally(end);
  const late = sleep(waitMs, undefined, { signal }).catch(() => undefined);
  await Promise.race([workqueue.idle(), late]);
  ctx.metrics.resyncSeconds.observe((Date.now() - began) / 1_000);
  ctx.logger.info({ workloads, stale: progress.stale().count }, "resync done");
}

/** Resyncs at once, every `intervalMs` (with jitter, to spread the replicas), and on demand. */
export function startResync(
  ctx: Context,
  workqueue: Workqueue<WorkloadKey>,
  progress: ProgressWatch,
  intervalMs: number,
): Resync {
  const stop = new AbortController();
  const hand = createInFlight();
  const options = { hand, signal: stop.signal, waitMs: Math.min(SETTLED_MS, intervalMs) };
  let wake: (() => void) | undefined;
  let trigger = "start";
  const loop = async () => {
    while (!stop.signal.aborted) {
      const current = trigger;
      trigger = "";
      try {
        ctx.logger.debug({ trigger: current }, "resync started");
        await resync(ctx, workqueue, progress, options);
      } catch (err) {
        ctx.logger.error({ err }, "resync failed, retrying");
        trigger = "retry";
        await sleep(2_000, undefined, { signal: stop.signal }).catch(() => undefined);
      }
      if (trigger !== "") continue;
      const { promise, resolve } = Promise.withResolvers<void>();
      wake = resolve;
      const timer = setTimeout(resolve, intervalMs * (0.75 + Math.random() / 2));
      await promise;
      clearTimeout(timer);
      if (trigger === "") trigger = "interval";
    }
  };
  const looping = loop();
  return {
    now(next) {
      trigger = next;
      wake?.();
    },
    inFlightMs: hand.oldestMs,
    async [Symbol.asyncDispose]() {
      stop.abort();
      wake?.();
      await looping;
    },
  };
}
