import { Time } from "../event-envelope.ts";
import { z } from "zod";
import { RolloutEvent } from "../events.ts";
import { PageQuery, pageOf } from "./page.ts";
import { defineRoute } from "./route.ts";

/**
 * The HTTP API of the notifier, as its server and its clients see it. Times are RFC 3339 with
 * milliseconds.
 */

export const ReceiverRef = z.string().max(63);

const Word = z
  .string()
  .max(64)
  .regex(/^[a-z0-9-]+$/, "must be a word of a-z, 0-9 and -");

export const Labels = z.record(z.string(), z.string());

const LetterSummary = z.object({
  id: z.string(),
  at: Time,
  stage: z.string().meta({ description: "Who gave up" }),
  reason: z.string().meta({ description: "In CamelCase, like `Expired`" }),
  message: z.string(),
  subject: z.string().meta({ description: "Of what could not be handled" }),
  notification: z
    .object({
      id: z.string().meta({ description: "The webhook-id over all attempts" }),
      receiver: z.string(),
      events: z.number().int(),
      attempts: z.number().int(),
    })
    .optional()
    .meta({ description: "Of a message to a receiver; only these can be redriven" }),
});

const LetterDetail = LetterSummary.extend({
  attempts: z.array(z.object({ at: Time, reason: z.string(), message: z.string() })).optional(),
  events: z.array(RolloutEvent).optional(),
  body: z
    .string()
    .optional()
    .meta({ description: "The first 64 KiB of what was no event, as text" }),
});

const LetterId = z.strictObject({
  id: z.string().regex(/^[1-9]\d{0,14}$/, "must be the id of a dead letter, a number"),
});

export const listDeadLetters = defineRoute({
  method: "GET",
  path: "/v1/dead-letters",
  name: "listDeadLetters",
  summary: "What could not be handled or delivered, oldest first",
  query: z.strictObject({
    ...PageQuery,
    stage: Word.optional(),
    reason: Word.optional(),
    receiver: ReceiverRef.optional(),
  }),
  response: pageOf(LetterSummary),
});

export const getDeadLetter = defineRoute({
  method: "GET",
  path: "/v1/dead-letters/{id}",
  name: "getDeadLetter",
  summary: "One dead letter with its content",
  params: LetterId,
  response: LetterDetail,
});

export const redriveDeadLetter = defineRoute({
  method: "POST",
  path: "/v1/dead-letters/{id}/redrive",
  name: "redriveDeadLetter",
  summary: "Send a dead message to its receiver again, under the same id, and remove the letter",
  params: LetterId,
  response: z.object({ notification: z.string(), receiver: z.string() }),
  status: 202,
});

export const dropDeadLetter = defineRoute({
  method: "DELETE",
  path: "/v1/dead-letters/{id}",
  name: "dropDeadLetter",
  summary: "Remove a dead letter for good",
  params: LetterId,
});
