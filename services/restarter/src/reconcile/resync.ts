import { setTimeout as sleep } from "node:timers/promises";
import { createInFlight } from "@rollcast/async/in-flight";
import type { InFlight } from "@rollcast/async/in-flight";
import { clock } from "../clock.ts";
import type { Context } from "../context.ts";
import type { ProgressWatch } from "./progress-watch.ts";
import type { Workqueue } from "./workqueue.ts";
import { workloadKey } from "../model/workload.ts";
import type { WorkloadKey } from "../model/workload.ts";

/** Compares every workload with its sources; this, not any queue, is what makes that nothing is lost. */
export type Resync = AsyncDisposable & {
  now(reason: string): void;
  /** For how long the records have been read, where that is going on: what they ask for then is not waited for here. */
  inFlightMs(): number;
};

/** What a sweep has asked for is waited for so long, and never longer than until the next is due. */
const SETTLED_MS = 60_000;

/** Asks for every opted-in workload and every record to be settled, which adopts, follows, ends and enqueues whatever is due; how many they are. */
async function enqueue(
  ctx: Context,
  workqueue: Workqueue,
  progress: ProgressWatch,
): Promise<number> {
  const keys = new Set<WorkloadKey>();
  for await (const { value } of ctx.records.snapshot(`${ctx.cluster}.>`)) {
    progress.observe(value);
    keys.add(workloadKey(value));
  }
  for (const workload of ctx.index.all()) {
    if (workload.mayRoll) keys.add(workloadKey(workload));
  }
  for (const key of keys) workqueue.enqueue(key);
  return keys.size;
}

/** One sweep, until all it asked for is settled, or `waitMs` have passed: one workload that cannot be settled must not keep the next sweep from the others. */
async function resync(
  ctx: Context,
  workqueue: Workqueue,
  progress: ProgressWatch,
  { hand, signal, waitMs }: { hand: InFlight; signal: AbortSignal; waitMs: number },
): Promise<void> {
  const began = clock();
  const end = hand.begin();
  const workloads = await enqueue(ctx, workqueue, progress).finally(end);
  const onSourceNamed = sleep(waitMs, undefined, { signal }).catch(() => undefined);
  await Promise.race([workqueue.idle(), onSourceNamed]);
  ctx.metrics.resyncSeconds.observe((clock() - began) / 1_000);
  ctx.logger.info({ workloads, stale: progress.stale().count }, "resync done");
}

/** Sweeps at once, every `intervalMs` (with jitter, so that replicas spread), and whenever asked. */
export function startResync(
  ctx: Context,
  workqueue: Workqueue,
  progress: ProgressWatch,
  intervalMs: number,
): Resync {
  const stop = new AbortController();
  const hand = createInFlight();
  const options = { hand, signal: stop.signal, waitMs: Math.min(SETTLED_MS, intervalMs) };
  let wake: (() => void) | undefined;
  let asked = "start";
  const loop = async () => {
    while (!stop.signal.aborted) {
      const reason = asked;
      asked = "";
      try {
        ctx.logger.debug({ reason }, "resync started");
        await resync(ctx, workqueue, progress, options);
      } catch (err) {
        ctx.logger.error({ err }, "resync failed, retrying");
        asked = "retry";
        await sleep(2_000, undefined, { signal: stop.signal }).catch(() => undefined);
      }
      if (asked !== "") continue;
      const { promise, resolve } = Promise.withResolvers<void>();
      wake = resolve;
      const timer = setTimeout(resolve, intervalMs * (0.75 + Math.random() / 2));
      await promise;
      clearTimeout(timer);
      if (asked === "") asked = "interval";
    }
  };
  const looping = loop();
  return {
    now(reason) {
      asked = reason;
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
