import type { z } from "zod";
import type {
  getDeadLetter,
  listDeadLetters,
  redriveDeadLetter,
} from "@rollcast/shared/api/dead-letter-routes";
import { ProblemError } from "@rollcast/shared/api/problem";
import type { DeadLetters, StoredLetter, LetterPage } from "@rollcast/nats/dead-letters";
import type { Context } from "../context.ts";
import { notificationKey } from "../group/group.ts";
import { NotificationRecord } from "../model/notification-record.ts";

type Detail = z.infer<NonNullable<(typeof getDeadLetter)["response"]>>;

type Summary = Omit<Detail, "attempts" | "events" | "body">;

type Query = z.infer<NonNullable<(typeof listDeadLetters)["query"]>>;

type Redriven = z.infer<NonNullable<(typeof redriveDeadLetter)["response"]>>;

const MAX_BODY = 65_536;

/** Several clusters may share a stream; a notifier handles the letters of its own cluster only. */
function isOurs(letter: StoredLetter, cluster: string): boolean {
  return letter.subject.startsWith(`rollcast.v1.${cluster}.`);
}

/** The notification in a letter; undefined where the letter holds anything else. */
function recordOf(letter: StoredLetter): NotificationRecord | undefined {
  if (letter.stage !== "notifier") return undefined;
  try {
    const raw: unknown = JSON.parse(new TextDecoder().decode(letter.body));
    return NotificationRecord.safeParse(raw).data;
  } catch {
    return undefined;
  }
}

function summaryOf(letter: StoredLetter, record: NotificationRecord | undefined): Summary {
  const { id, time, stage, reason, message, subject } = letter;
  const common = { id, at: time.toISOString(), stage, reason, message, subject };
  if (record === undefined) return common;
  const { receiver, events, attempts } = record;
  const notification = {
    id: record.id,
    receiver,
    events: events.length,
    attempts: attempts.length,
  };
  return { ...common, notification };
}

/** Lists the dead letters of this cluster, oldest first. */
export function listLetters(
  ctx: Context,
  letters: DeadLetters,
  { cursor, limit, stage, reason, receiver }: Query,
): Promise<LetterPage<Summary>> {
  return letters.page({
    limit,
    after: cursor,
    stage,
    reason,
    project(letter) {
      if (!isOurs(letter, ctx.cluster)) return undefined;
      const summary = summaryOf(letter, recordOf(letter));
      const matches = receiver === undefined || summary.notification?.receiver === receiver;
      return matches ? summary : undefined;
    },
  });
}

async function findLetter(ctx: Context, letters: DeadLetters, id: string): Promise<StoredLetter> {
  const letter = await letters.get(id);
  if (letter !== undefined && isOurs(letter, ctx.cluster)) return letter;
  throw new ProblemError(404, "no-such-letter", `there is no dead letter ${id}: list them first`);
}

/** Returns one dead letter with its content. */
export async function showLetter(ctx: Context, letters: DeadLetters, id: string): Promise<Detail> {
  const letter = await findLetter(ctx, letters, id);
  const record = recordOf(letter);
  const summary = summaryOf(letter, record);
  if (record === undefined) {
    return { ...summary, body: new TextDecoder().decode(letter.body.subarray(0, MAX_BODY)) };
  }
  const attempts = record.attempts.map((failure) => ({
    ...failure,
    at: new Date(failure.at).toISOString(),
  }));
  return { ...summary, attempts, events: record.events };
}

/** Removes a dead letter for good. */
export async function dropLetter(ctx: Context, letters: DeadLetters, id: string): Promise<void> {
  await findLetter(ctx, letters, id);
  await letters.drop(id);
  ctx.logger.info({ letter: id }, "dead letter dropped");
}

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
async function requeue(ctx: Context, next: NotificationRecord): Promise<void> {
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
  ctx: Context,
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
