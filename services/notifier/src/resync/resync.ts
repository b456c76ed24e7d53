import { createInFlight } from "@rollcast/async/in-flight";
import type { Entry } from "@rollcast/nats/kv";
import type { Context } from "../context.ts";
import { removeIfSpent } from "../group/flush.ts";
import type { NotifyRecord } from "../model/notify-record.ts";
import { addToBacklog } from "../model/backlog.ts";
import type { Backlog } from "../model/backlog.ts";

/**
 * Enqueues a job for every record that waits, also for what became due while Redis was lost or no
 * notifier ran. Disposal stops it and waits for the running resync.
 */
export type Resync = AsyncDisposable & {
  now(reason: string): void;
  /** Keys of the records that could not be read by the last one: of another version. */
  unreadable(): readonly string[];
  /** For how many milliseconds the current resync has been running; 0 when none is. */
  inFlightMs(): number;
};

/** Longer than a receiver is missing by mistake; after that, its records are useless. */
const KEPT_MS = 24 * 3_600_000;

/**
 * Whether a record belongs to a receiver that left the configuration long ago; `now` in
 * milliseconds since the epoch.
 */
export function isAbandoned(
  record: NotifyRecord,
  receivers: { has(name: string): boolean },
  now: number,
): boolean {
  if (record.type !== "message-log" && record.type !== "alert") return false;
  const at =
    record.type === "alert"
      ? record.at
      : Math.max(0, ...record.posts.map(({ updatedAt }) => updatedAt));
  return !receivers.has(record.receiver) && now - at > KEPT_MS;
}

async function enqueueIfDue(
  ctx: Context,
  entry: Entry<NotifyRecord>,
  now: number,
): Promise<boolean> {
  const { value } = entry;
  if (value.type === "notification") {
    const delayMs = ctx.registry.receivers.has(value.receiver) ? Math.max(value.dueAt - now, 0) : 0;
    await ctx.jobs.enqueueDelivery(value, delayMs);
    return true;
  }
  if (value.type !== "group") return false;
  if (value.events.length === 0) {
    await removeIfSpent(ctx, { ...entry, value }, now);
    return false;
  }
  await ctx.jobs.enqueueFlush(value.id, Math.max((value.dueAt ?? 0) - now, 0));
  return true;
}

/** The keys of the records that it could not read. */
async function resync(ctx: Context, reason: string): Promise<readonly string[]> {
  const now = Date.now();
  const waiting = new Map<string, Backlog>();
  const unreadable: string[] = [];
  let jobs = 0;
  const all = ctx.records.snapshot(`${ctx.cluster}.>`, (key) => unreadable.push(key));
  for await (const entry of all) {
    if (isAbandoned(entry.value, ctx.registry.receivers, now)) {
      await ctx.records.remove(entry.key, entry.revision);
      continue;
    }
    if (await enqueueIfDue(ctx, entry, now)) jobs++;
    addToBacklog(waiting, entry.value);
  }
  ctx.metrics.waiting(waiting);
  ctx.metrics.unreadable(unreadable.length);
  const level = jobs > 0 ? "info" : "debug";
  ctx.logger[level]({ reason, jobs, durationMs: Date.now() - now }, "resync done");
  return unreadable;
}

/** Resyncs now and every `intervalMs`. */
export function startResync(ctx: Context, intervalMs: number): Resync {
  const inFlight = createInFlight();
  let running: Promise<void> | undefined;
  let again: string | undefined;
  let stopped = false;
  let unreadable: readonly string[] = [];
  const run = async (first: string) => {
    for (let reason: string | undefined = first; reason !== undefined && !stopped; reason = again) {
      again = undefined;
      const end = inFlight.begin();
      await resync(ctx, reason)
        .then((keys) => {
          unreadable = keys;
        })
        .catch((err: unknown) =>
          ctx.logger.warn({ err, reason }, "resync failed, the next one retries"),
        )
        .finally(end);
    }
  };
  const now = (reason: string) => {
    if (stopped) return;
    if (running === undefined) {
      running = run(reason).finally(() => {
        running = undefined;
      });
    } else again = reason;
  };
  const timer = setInterval(() => now("Interval"), intervalMs);
  now("Started");
  return {
    now,
    unreadable: () => unreadable,
    inFlightMs: inFlight.oldestMs,
    async [Symbol.asyncDispose]() {
      stopped = true;
      clearInterval(timer);
      await running;
    },
  };
}
