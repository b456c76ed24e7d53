import type { Entry } from "@rollcast/nats/kv";
import { put } from "@rollcast/nats/modify";
import { SpanKind, carried, inSpan } from "@rollcast/runtime/trace";
import type { TraceOptions } from "@rollcast/runtime/trace";
import { RetryLaterError } from "@rollcast/shared/errors";
import { cutReasons } from "@rollcast/shared/event-envelope";
import { stableId } from "@rollcast/shared/events";
import { notificationEvent } from "@rollcast/shared/event-builders";
import { publish, publishDeadLetter } from "@rollcast/nats/publish";
import { notificationSubject } from "@rollcast/shared/subjects";
import { tracer } from "../context.ts";
import type { Context } from "../context.ts";
import { releaseGroup } from "../group/flush.ts";
import { notificationKey } from "../group/group.ts";
import type { SendResult } from "../http/classify-answer.ts";
import { messageOf } from "../message/message.ts";
import type { NotificationRecord } from "../model/notification-record.ts";
import { readRegisteredReceivers } from "../registry/registered-receivers.ts";

type NotificationEntry = Entry<NotificationRecord>;

export type DeliverOptions = {
  signal: AbortSignal;
  /** Pauses the queue of the receiver for as long as the receiver asks. */
  pause: (delayMs: number) => Promise<void>;
  /**
   * Whose queue the job is from. Undefined for the group queue, which also takes jobs for receivers
   * that were unknown when the job was added.
   */
  receiver?: string;
};

/** Continues the trace of the first event and links to those of the others. */
function deliverSpan({ id, receiver, events }: NotificationRecord): TraceOptions {
  const [parent, ...links] = events.map((event) => event.traceparent).filter(Boolean);
  const attributes = { "rollcast.receiver": receiver, "rollcast.notification": id };
  return { kind: SpanKind.CLIENT, parent, links, attributes };
}

/** The time from which its age counts. */
function queuedAt({ createdAt, redriven }: NotificationRecord): number {
  return redriven?.at ?? createdAt;
}

/** Sends the notification, unless its receiver was removed or is gone, or it is too old. */
async function attempt(
  ctx: Context,
  record: NotificationRecord,
  signal: AbortSignal,
): Promise<SendResult> {
  const receiver = ctx.registry.receivers.get(record.receiver);
  const circuit = ctx.registry.circuits.get(record.receiver);
  if (receiver === undefined || circuit === undefined) {
    const message = "the receiver was removed from the configuration";
    return { kind: "refused", reason: "ReceiverRemoved", message };
  }
  if (Date.now() - queuedAt(record) > MAX_AGE_MS) {
    return { kind: "refused", reason: "Expired", message: "it was not delivered within a day" };
  }
  const admission = circuit.enter(Date.now());
  if (admission === "gone") {
    const message =
      "the receiver answered 410: it is not tried again until its configuration changes";
    return { kind: "refused", reason: "Gone", message };
  }
  if (admission !== "go") throw new RetryLaterError(admission, "the receiver's circuit is open");
  let result: SendResult | undefined;
  try {
    result = await receiver.send(messageOf(record, ctx.cluster), signal);
    return result;
  } finally {
    circuit.leave(result, Date.now());
  }
}

/**
 * Makes one attempt to deliver a notification. The result is written into the record before
 * anything else happens, so a crash repeats at most the message whose result was not yet written,
 * under the same id. Throws {@link RetryLaterError} when another attempt is due.
 */
export async function deliver(ctx: Context, id: string, options: DeliverOptions): Promise<void> {
  const stored = await ctx.records.get(notificationKey(ctx.cluster, id));
  if (stored?.value.type !== "notification") return;
  const entry = { ...stored, value: stored.value };
  if (entry.value.state !== "waiting") return finish(ctx, entry, options.signal);
  const wait = entry.value.dueAt - Date.now();
  const configured = ctx.registry.receivers.has(entry.value.receiver);
  // The receiver was configured after the job was added, here or at a replica with a newer
  // configuration. Its own queue enforces its rate limit, so forward the job.
  const registered = !configured && (await readRegisteredReceivers(ctx)).has(entry.value.receiver);
  if (registered || (configured && options.receiver === undefined)) {
    await ctx.jobs.forward(entry.value, Math.max(wait, 0));
    return;
  }
  if (wait > 0 && configured) throw new RetryLaterError(wait, "the notification is not due yet");
  return inSpan(tracer, "deliver", deliverSpan(entry.value), async () => {
    const result = await attempt(ctx, entry.value, options.signal);
    ctx.failpoint("answered");
    return recordResult(ctx, entry, result, options);
  });
}

async function recordResult(
  ctx: Context,
  entry: NotificationEntry,
  result: SendResult,
  { signal, pause }: DeliverOptions,
): Promise<void> {
  const { value } = entry;
  const now = Date.now();
  if (result.kind === "sent")
    return finish(ctx, await write(ctx, entry, { ...value, state: "sent" }), signal);
  const { reason } = result;
  const message = result.kind === "later" ? "the receiver asked for a pause" : result.message;
  const attempts =
    result.kind === "later" ? value.attempts : [...value.attempts, { at: now, reason, message }];
  const delayMs =
    result.kind === "refused"
      ? undefined
      : result.kind === "later"
        ? result.delayMs
        : retryDelay(attempts.length);
  const tooOld = delayMs !== undefined && now + delayMs - queuedAt(value) > MAX_AGE_MS;
  if (delayMs === undefined || tooOld) {
    const dead = {
      ...value,
      attempts,
      state: "dead" as const,
      reason: tooOld ? "Expired" : reason,
    };
    return finish(ctx, await write(ctx, entry, { ...dead, message }), signal);
  }
  await write(ctx, entry, { ...value, attempts, dueAt: now + delayMs });
  ctx.metrics.retried(value.receiver, reason);
  ctx.logger.warn(
    {
      receiver: value.receiver,
      notification: value.id,
      attempts: attempts.length,
      reason,
      message,
      delayMs,
    },
    "notification delayed, will retry",
  );
  if (result.kind === "later") await pause(delayMs);
  throw new RetryLaterError(delayMs, message);
}

async function write(
  ctx: Context,
  before: NotificationEntry,
  value: NotificationRecord,
): Promise<NotificationEntry> {
  const written = await put(ctx.records, before.key, value, before);
  // Another replica ran the same job after Redis was emptied: its write stands.
  if (written === undefined)
    throw new RetryLaterError(1_000, "the notification was changed concurrently");
  return written;
}

/** Publishes the outcome, then removes the notification's record. */
async function finish(ctx: Context, entry: NotificationEntry, signal: AbortSignal): Promise<void> {
  ctx.failpoint("outcome-written");
  await publishOutcome(ctx, entry.value, signal);
  ctx.failpoint("outcome-published");
  await releaseGroup(ctx, entry.value.group, entry.value.id);
  await ctx.records.remove(entry.key, entry.revision);
  ctx.failpoint("record-removed");
}

const MAX_IDS = 100;

/**
 * Identifies the outcome. A redriven notification ends again, and the stream must not drop that as
 * a duplicate.
 */
function outcomeId(outcome: string, { id, redriven }: NotificationRecord): string {
  return redriven === undefined
    ? stableId(outcome, id)
    : stableId(outcome, id, String(redriven.count));
}

async function publishLetter(
  { nats, cluster }: Context,
  record: NotificationRecord,
  signal: AbortSignal,
): Promise<void> {
  const letter = {
    stage: "notifier",
    reason: record.reason ?? "Unknown",
    message: record.message ?? "",
    id: outcomeId("dead-letter", record),
    subject: notificationSubject(cluster, "dead", record.receiver),
    body: Buffer.from(JSON.stringify(record)),
  };
  await publishDeadLetter(nats, letter, signal);
}

/**
 * Publishes how a notification ended: `notification.sent`, or a dead letter and
 * `notification.dead`. Publishing again uses the same ids. Gives up only when `signal` fires.
 */
async function publishOutcome(
  ctx: Context,
  record: NotificationRecord,
  signal: AbortSignal,
): Promise<void> {
  const { nats, cluster, metrics, logger } = ctx;
  const { id, receiver, events, attempts, reason, message } = record;
  const outcome = record.state === "sent" ? "sent" : "dead";
  if (outcome === "dead") await publishLetter(ctx, record, signal);
  const parts = { id: outcomeId(outcome, record), cluster, service: "notifier", time: Date.now() };
  const ended = cutReasons({
    receiver,
    notification: id,
    events: events.slice(0, MAX_IDS).map((event) => event.id),
    attempts: attempts.length + (outcome === "sent" ? 1 : 0),
    reason,
    message,
  });
  const event = notificationEvent(parts, outcome, ended);
  const subject = notificationSubject(cluster, outcome, receiver);
  await publish(nats, subject, { ...event, ...carried() }, signal);
  const data = { receiver, notification: id, events: events.length, attempts: attempts.length };
  if (outcome === "sent") {
    metrics.sent(receiver);
    logger.info(data, "notification sent");
  } else {
    metrics.dead(receiver, reason ?? "Unknown");
    logger.error({ ...data, reason, message }, "notification moved to dead letters");
  }
}

const S = 1_000;
const M = 60 * S;
const H = 60 * M;

/** Milliseconds between a failed attempt and the next one. */
export const RETRY_DELAYS = [5 * S, 30 * S, 2 * M, 5 * M, 15 * M, 30 * M, H, 2 * H, 4 * H, 8 * H];
/** An older notification is no longer useful; milliseconds. */
const MAX_AGE_MS = 24 * H;
const JITTER = 0.1;

/**
 * Milliseconds to wait after `attempts` failed attempts (1: the first), with 10 % jitter so that
 * notifications that failed together are not retried together; undefined when no attempt is left.
 * `random` returns numbers in [0, 1).
 */
export function retryDelay(
  attempts: number,
  random: () => number = Math.random,
): number | undefined {
  const delay = RETRY_DELAYS[attempts - 1];
  return delay === undefined ? undefined : Math.round(delay * (1 - JITTER + random() * 2 * JITTER));
}
