import { createInFlight } from "@rollcast/async/in-flight";
import type { Entry } from "@rollcast/nats/kv";
import { isAbandoned } from "./abandoned.ts";
import type { Context } from "../context.ts";
import { forget } from "../group/flush.ts";
import type { NotifyRecord } from "../model/notify-record.ts";
import { countWaiting } from "./waiting.ts";
import type { Waiting } from "../model/waiting.ts";

/** Makes the turns again from the records: what waits while Redis was lost or nobody ran gets its turn. Disposal stops it and waits for the sweep in hand. */
export type Resync = AsyncDisposable & {
  now(why: string): void;
  /** For how many milliseconds the sweep in hand has been so; 0 where none is. */
  inFlightMs(): number;
};

async function turnOf(ctx: Context, entry: Entry<NotifyRecord>, now: number): Promise<boolean> {
  const { value } = entry;
  if (value.type === "notification") {
    const delayMs = ctx.receivers.has(value.receiver) ? Math.max(value.dueAt - now, 0) : 0;
    await ctx.jobs.deliver(value, delayMs);
    return true;
  }
  if (value.type !== "group") return false;
  if (value.events.length === 0) {
    await forget(ctx, { ...entry, value }, now);
    return false;
  }
  await ctx.jobs.flush(value.id, Math.max((value.dueAt ?? 0) - now, 0));
  return true;
}

async function resync(ctx: Context, why: string): Promise<void> {
  const now = Date.now();
  const waiting = new Map<string, Waiting>();
  let jobs = 0;
  for await (const entry of ctx.records.snapshot(`${ctx.cluster}.>`)) {
    if (isAbandoned(entry.value, ctx.receivers, now)) {
      await ctx.records.remove(entry.key, entry.revision);
      continue;
    }
    if (await turnOf(ctx, entry, now)) jobs++;
    countWaiting(waiting, entry.value);
  }
  ctx.metrics.waiting(waiting);
  const level = jobs > 0 ? "info" : "debug";
  ctx.logger[level]({ why, jobs, durationMs: Date.now() - now }, "sweep done");
}

/** Sweeps now and every `intervalMs`. */
export function startResync(ctx: Context, intervalMs: number): Resync {
  const hand = createInFlight();
  let running: Promise<void> | undefined;
  let again: string | undefined;
  let stopped = false;
  const run = async (first: string) => {
    for (let why: string | undefined = first; why !== undefined && !stopped; why = again) {
      again = undefined;
      const end = hand.begin();
      await resync(ctx, why)
        .catch((err: unknown) =>
          ctx.logger.warn({ err, why }, "sweep failed, the next one will do"),
        )
        .finally(end);
    }
  };
  const now = (why: string) => {
    if (stopped) return;
    if (running === undefined) {
      running = run(why).finally(() => {
        running = undefined;
      });
    } else again = why;
  };
  const timer = setInterval(() => now("interval"), intervalMs);
  now("start");
  return {
    now,
    inFlightMs: hand.oldestMs,
    async [Symbol.asyncDispose]() {
      stopped = true;
      clearInterval(timer);
      await running;
    },
  };
}
