import type { z } from "zod";
import type {
  getDeadLetter,
  listDeadLetters,
  redriveDeadLetter,
} from "@rollcast/shared/api/dead-letter-routes";
import { ProblemError } from "@rollcast/shared/api/problem";
import type { DeadLetters, StoredLetter, LetterPage } from "@rollcast/nats/dead-letters";
import type { Context } from "../context.ts";
import { NotificationRecord } from "../model/notification-record.ts";

type Detail = z.infer<NonNullable<(typeof getDeadLetter)["response"]>>;

type Summary = Omit<Detail, "attempts" | "events" | "body">;

type Query = z.infer<NonNullable<(typeof listDeadLetters)["query"]>>;

export type Redriven = z.infer<NonNullable<(typeof redriveDeadLetter)["response"]>>;

export type LettersContext = Pick<
  Context,
  "cluster" | "registry" | "records" | "jobs" | "logger" | "failpoint"
>;

const MAX_BODY = 65_536;

/** Several clusters may share a stream; a notifier handles the letters of its own cluster only. */
function isOurs(letter: StoredLetter, cluster: string): boolean {
  return letter.subject.startsWith(`rollcast.v1.${cluster}.`);
}

/** The notification in a letter; undefined where the letter holds anything else. */
export function recordOf(letter: StoredLetter): NotificationRecord | undefined {
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
  ctx: LettersContext,
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

export async function findLetter(
  ctx: LettersContext,
  letters: DeadLetters,
  id: string,
): Promise<StoredLetter> {
  const letter = await letters.get(id);
  if (letter !== undefined && isOurs(letter, ctx.cluster)) return letter;
  throw new ProblemError(404, "no-such-letter", `there is no dead letter ${id}: list them first`);
}

/** Returns one dead letter with its content. */
export async function showLetter(
  ctx: LettersContext,
  letters: DeadLetters,
  id: string,
): Promise<Detail> {
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
export async function dropLetter(
  ctx: LettersContext,
  letters: DeadLetters,
  id: string,
): Promise<void> {
  await findLetter(ctx, letters, id);
  await letters.drop(id);
  ctx.logger.info({ letter: id }, "dead letter dropped");
}
