import { RetryLater } from "@rollcast/shared/errors";
import type { Entry } from "@rollcast/nats/kv";
import type { Context } from "../context.ts";
import { releaseGroup } from "../group/group-store.ts";
import { knownReceivers } from "../registry/registered-receivers.ts";
import type { NotificationRecord } from "../model/notification-record.ts";
import { notificationKey } from "../model/record-keys.ts";
import { MAX_AGE_MS, retryDelay } from "./retry-schedule.ts";
import type { Verdict } from "../http/send-result.ts";
import { deliverSpan } from "./deliver-span.ts";
import { attempt, bornAt } from "./attempt.ts";

type NotificationEntry = Entry<NotificationRecord>;

export type DeliverOptions = {
  signal: AbortSignal;
  /** Holds the queue of the receiver while the receiver asks for a pause. */
  hold: (delayMs: number) => Promise<void>;
  /** Whose queue the turn is from; undefined for the groups', which has turns of receivers that nobody knew when they were added. */
  receiver?: string;
};

/**
 * One try to deliver a notification. What came of it is written into its record before anything else follows, so that a crash repeats at most the message
 * whose answer was not written yet, under its same id. Throws {@link RetryLater} where another try is due.
 */
export async function deliver(ctx: Context, id: string, options: DeliverOptions): Promise<void> {
  const found = await ctx.records.get(notificationKey(ctx.cluster, id));
  if (found?.value.type !== "notification") return;
  const entry = { ...found, value: found.value };
  if (entry.value.state !== "waiting") return finish(ctx, entry, options.signal);
  const wait = entry.value.dueAt - Date.now();
  const known = ctx.receivers.has(entry.value.receiver);
  // The receiver has come since the turn was added, here or at a replica that has read a newer configuration: its own queue keeps to its rate limit.
  const elsewhere = !known && (await knownReceivers(ctx)).has(entry.value.receiver);
  if (elsewhere || (known && options.receiver === undefined)) {
    await ctx.turns.handOver(entry.value, Math.max(wait, 0));
    return;
  }
  if (wait > 0 && known) throw new RetryLater(wait, "the notification is not due yet");
  return ctx.tracer.span("deliver", deliverSpan(entry.value), async () => {
    const verdict = await attempt(ctx, entry.value, options.signal);
    ctx.step("answered");
    return settle(ctx, entry, verdict, options);
  });
}

async function settle(
  ctx: Context,
  entry: NotificationEntry,
  verdict: Verdict,
  { signal, hold }: DeliverOptions,
): Promise<void> {
  const { value } = entry;
  const now = Date.now();
  if (verdict.kind === "sent")
    return finish(ctx, await write(ctx, entry, { ...value, state: "sent" }), signal);
  const { reason } = verdict;
  const message = verdict.kind === "later" ? "the receiver asks to wait" : verdict.message;
  const tries =
    verdict.kind === "later" ? value.tries : [...value.tries, { at: now, reason, message }];
  const delayMs =
    verdict.kind === "refused"
      ? undefined
      : verdict.kind === "later"
        ? verdict.delayMs
        : retryDelay(tries.length);
  const tooOld = delayMs !== undefined && now + delayMs - bornAt(value) > MAX_AGE_MS;
  if (delayMs === undefined || tooOld) {
    const dead = { ...value, tries, state: "dead" as const, reason: tooOld ? "expired" : reason };
    return finish(ctx, await write(ctx, entry, { ...dead, message }), signal);
  }
  await write(ctx, entry, { ...value, tries, dueAt: now + delayMs });
  ctx.metrics.retried(value.receiver, reason);
  ctx.logger.warn(
    {
      receiver: value.receiver,
      notification: value.id,
      tries: tries.length,
      reason,
      message,
      delayMs,
    },
    "notification put off",
  );
  if (verdict.kind === "later") await hold(delayMs);
  throw new RetryLater(delayMs, message);
}

async function write(
  ctx: Context,
  before: NotificationEntry,
  value: NotificationRecord,
): Promise<NotificationEntry> {
  const revision = await ctx.records.update(before.key, value, before.revision);
  // Another replica had the same turn, after Redis was emptied: what it wrote counts.
  if (revision === undefined) throw new RetryLater(1_000, "the notification was written meanwhile");
  return { key: before.key, value, revision };
}

/** Publishes what was decided, then forgets the notification. */
async function finish(ctx: Context, entry: NotificationEntry, signal: AbortSignal): Promise<void> {
  ctx.step("outcome-written");
  await ctx.announce(entry.value, signal);
  ctx.step("outcome-published");
  await releaseGroup(ctx, entry.value.group, entry.value.id);
  await ctx.records.remove(entry.key, entry.revision);
  ctx.step("record-removed");
}
