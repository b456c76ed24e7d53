import { setTimeout as sleep } from "node:timers/promises";
import { clock } from "../clock.ts";
import type { Context } from "../context.ts";
import type { Following } from "./follow.ts";
import type { Settler } from "../roll/settler.ts";
import { workloadKey } from "../workloads/workload.ts";
import type { WorkloadKey } from "../workloads/workload.ts";

/** Compares every workload with its sources; this, not any queue, is what makes that nothing is lost. */
export type Sweep = AsyncDisposable & { now(reason: string): void };

/**
 * One sweep: every opted-in workload and every record is settled, which adopts, follows, ends and enqueues whatever is due.
 */
export async function sweep(ctx: Context, settler: Settler, following: Following): Promise<void> {
  const began = clock();
  const keys = new Set<WorkloadKey>();
  for await (const { value } of ctx.records.snapshot(`${ctx.cluster}.>`)) {
    following.see(value);
    keys.add(workloadKey(value));
  }
  for (const workload of ctx.index.all()) {
    if (workload.mayRoll) keys.add(workloadKey(workload));
  }
  for (const key of keys) settler.request(key);
  await settler.idle();
  ctx.metrics.sweepSeconds.observe((clock() - began) / 1_000);
  ctx.logger.info({ workloads: keys.size, stale: following.stale().count }, "sweep done");
}

/** Sweeps at once, every `intervalMs` (with jitter, so that replicas spread), and whenever asked. */
export function startSweeping(
  ctx: Context,
  settler: Settler,
  following: Following,
  intervalMs: number,
): Sweep {
  const stop = new AbortController();
  let wake: (() => void) | undefined;
  let asked = "start";
  const loop = async () => {
    while (!stop.signal.aborted) {
      const reason = asked;
      asked = "";
      try {
        ctx.logger.debug({ reason }, "sweep begins");
        await sweep(ctx, settler, following);
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
    async [Symbol.asyncDispose]() {
      stop.abort();
      wake?.();
      await looping;
    },
  };
}
