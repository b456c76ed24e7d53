import { ProblemError } from "@rollcast/shared/api/problem";
import type { DeadLetters } from "@rollcast/nats/dead-letters";
import type { NotificationRecord } from "../model/notification-record.ts";
import { notificationKey } from "../group/group.ts";
import type { LettersContext, Redriven } from "./dead-letters.ts";
import { findLetter, recordOf } from "./dead-letters.ts";

/** The record of a dead notification that waits again: same id, attempts counted from zero. */
function redrivenRecord(record: NotificationRecord, now: number): NotificationRecord {
  const { reason: _reason, message: _message, redriven, ...rest } = record;
  const count = (redriven?.count ?? 0) + 1;
  return { ...rest, state: "waiting", attempts: [], dueAt: now, redriven: { count, at: now } };
}

/**
 * Creates the record again. One that exists already was created by an earlier attempt of this
 * redrive, or the notification is being delivered.
 */
async function requeue(ctx: LettersContext, next: NotificationRecord): Promise<void> {
  const key = notificationKey(ctx.cluster, next.id);
  if ((await ctx.records.create(key, next)) !== undefined) return;
  const existing = (await ctx.records.get(key))?.value;
  const count = existing?.type === "notification" ? existing.redriven?.count : undefined;
  if (count === next.redriven?.count) return;
  throw new ProblemError(
    409,
    "in-flight",
    "the notification is already being delivered: retry later",
  );
}

/**
 * Sends a dead notification to its receiver again, then removes the letter. The record is written
 * before the letter is removed: after a crash in between, redriving the letter again continues with
 * the same notification under the same id.
 */
export async function redriveLetter(
  ctx: LettersContext,
  letters: DeadLetters,
  id: string,
): Promise<Redriven> {
  const record = recordOf(await findLetter(ctx, letters, id));
  if (record === undefined) {
    const detail = "only notifications can be redriven, and this letter holds none: drop it";
    throw new ProblemError(422, "not-a-message", detail);
  }
  const { receiver } = record;
  if (!ctx.registry.receivers.has(receiver)) {
    const detail = `the receiver ${receiver} was removed: configure it again, or drop the letter`;
    throw new ProblemError(409, "no-such-receiver", detail);
  }
  const next = redrivenRecord(record, Date.now());
  await requeue(ctx, next);
  ctx.failpoint("letter-requeued");
  const data = { letter: id, notification: record.id, receiver };
  await ctx.jobs.enqueueDelivery(next, 0).catch((err: unknown) => {
    ctx.logger.warn({ err, ...data }, "delivery job not enqueued, the next resync adds it");
  });
  await letters.drop(id);
  ctx.logger.info(data, "dead letter redriven");
  return { notification: record.id, receiver };
}
