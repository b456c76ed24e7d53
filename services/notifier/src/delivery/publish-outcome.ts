import { stableId } from "@rollcast/shared/events";
import { notificationEvent } from "@rollcast/shared/event-builders";
import { publish, publishDeadLetter } from "@rollcast/nats/publish";
import { carried } from "@rollcast/runtime/trace";
import { notificationSubject } from "@rollcast/shared/subjects";
import type { Context } from "../context.ts";
import type { NotificationRecord } from "../model/notification-record.ts";

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
export async function publishOutcome(
  ctx: Context,
  record: NotificationRecord,
  signal: AbortSignal,
): Promise<void> {
  const { nats, cluster, metrics, logger } = ctx;
  const { id, receiver, events, attempts, reason, message } = record;
  const outcome = record.state === "sent" ? "sent" : "dead";
  if (outcome === "dead") await publishLetter(ctx, record, signal);
  const parts = { id: outcomeId(outcome, record), cluster, service: "notifier", time: Date.now() };
  const event = notificationEvent(parts, outcome, {
    receiver,
    notification: id,
    events: events.slice(0, MAX_IDS).map((event) => event.id),
    attempts: attempts.length + (outcome === "sent" ? 1 : 0),
    reason,
    message: message === undefined ? undefined : message.slice(0, 1_024),
  });
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
