import { setTimeout as sleep } from "node:timers/promises";
import { createInHand } from "@rollcast/async/in-hand";
import type { InHand } from "@rollcast/async/in-hand";
import { clock } from "../clock.ts";
import type { Context } from "../context.ts";
import type { Following } from "./progress-watch.ts";
import type { Settler } from "./workqueue.ts";
import { workloadKey } from "../model/workload.ts";
import type { WorkloadKey } from "../model/workload.ts";

/** Compares every workload with its sources; this, not any queue, is what makes that nothing is lost. */
export type Sweep = AsyncDisposable & {
  now(reason: string): void;
  /** For how long the records have been read, where that is going on: what they ask for then is not waited for here. */
  inHandMs(): number;
};

/** What a sweep has asked for is waited for so long, and never longer than until the next is due. */
const SETTLED_MS = 60_000;

/** Asks for every opted-in workload and every record to be settled, which adopts, follows, ends and enqueues whatever is due; how many they are. */
async function request(ctx: Context, settler: Settler, following: Following): Promise<number> {
  const keys = new Set<WorkloadKey>();
  for await (const { value } of ctx.records.snapshot(`${ctx.cluster}.>`)) {
    following.see(value);
    keys.add(workloadKey(value));
  }
  for (const workload of ctx.index.all()) {
    if (workload.mayRoll) keys.add(workloadKey(workload));
  }
  for (const key of keys) settler.request(key);
  return keys.size;
}

/** One sweep, until all it asked for is settled, or `waitMs` have passed: one workload that cannot be settled must not keep the next sweep from the others. */
async function sweep(
  ctx: Context,
  settler: Settler,
  following: Following,
  { hand, signal, waitMs }: { hand: InHand; signal: AbortSignal; waitMs: number },
): Promise<void> {
  const began = clock();
  const end = hand.begin();
  const workloads = await request(ctx, settler, following).finally(end);
  const late = sleep(waitMs, undefined, { signal }).catch(() => undefined);
  await Promise.race([settler.idle(), late]);
  ctx.metrics.sweepSeconds.observe((clock() - began) / 1_000);
  ctx.logger.info({ workloads, stale: following.stale().count }, "sweep done");
}

/** Sweeps at once, every `intervalMs` (with jitter, so that replicas spread), and whenever asked. */
export function startSweeping(
  ctx: Context,
  settler: Settler,
  following: Following,
  intervalMs: number,
): Sweep {
  const stop = new AbortController();
  const hand = createInHand();
  const options = { hand, signal: stop.signal, waitMs: Math.min(SETTLED_MS, intervalMs) };
  let wake: (() => void) | undefined;
  let asked = "start";
  const loop = async () => {
    while (!stop.signal.aborted) {
      const reason = asked;
      asked = "";
      try {
        ctx.logger.debug({ reason }, "sweep begins");
        await sweep(ctx, settler, following, options);
      } catch (err) {
        ctx.logger.error({ err }, "sweep failed, trying again");
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
    inHandMs: hand.oldestMs,
    async [Symbol.asyncDispose]() {
      stop.abort();
      wake?.();
      await looping;
    },
  };
}
