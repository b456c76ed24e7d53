import { z } from "zod";
import { ROUTE_LABELS } from "../config/notifier.ts";
import { RolloutEvent } from "../events.ts";
import { PageQuery, pageOf } from "./page.ts";
import { defineRoute } from "./route.ts";

/** The HTTP API of the notifier, as its server and its clients see it. Times are RFC 3339 with milliseconds. */

const Time = z.iso.datetime({ precision: 3 });
const Name = z.string().max(63);
const Word = z
  .string()
  .max(64)
  .regex(/^[a-z0-9-]+$/, "must be a word of a-z, 0-9 and -");

const ReceiverState = z.object({
  name: z.string(),
  kind: z.string().meta({ description: "webhook, slack, teams, ..." }),
  circuit: z
    .enum(["closed", "open", "gone"])
    .optional()
    .meta({ description: "Of the replica that answers; absent for a receiver that tells nobody" }),
  waiting: z.number().int().meta({ description: "Messages that are not delivered yet" }),
  oldestAt: Time.optional().meta({ description: "When the oldest of them was made" }),
  lastSentAt: Time.optional(),
  lastDead: z
    .object({ at: Time, reason: z.string() })
    .optional()
    .meta({ description: "When a message last went to the dead letters, and why" }),
});

export const listReceivers = defineRoute({
  method: "GET",
  path: "/v1/receivers",
  name: "listReceivers",
  summary: "Receivers and how they are",
  query: z.strictObject({ ...PageQuery }),
  response: pageOf(ReceiverState),
});

export const testReceiver = defineRoute({
  method: "POST",
  path: "/v1/receivers/{name}/test",
  name: "testReceiver",
  summary: "Send a test message now, past the receiver's queue, and tell what it answered",
  params: z.strictObject({ name: Name }),
  response: z.object({
    result: z.enum(["sent", "later", "failed", "refused"]).meta({
      description:
        "later: the receiver asks to wait; failed: another try may do; refused: none will",
    }),
    reason: z.string().optional().meta({ description: "A machine word" }),
    message: z.string().optional(),
    durationMs: z.number().int(),
  }),
});

const Labels = z.record(z.string(), z.string());

export const explainRoutes = defineRoute({
  method: "POST",
  path: "/v1/routes/explain",
  name: "explainRoutes",
  summary: "Who would be told of an event, in which group, and why",
  body: z.strictObject({ event: RolloutEvent }),
  response: z.object({
    labels: z.object(Object.fromEntries(ROUTE_LABELS.map((label) => [label, z.string()]))),
    deliveries: z.array(
      z.object({
        receiver: z.string(),
        route: z
          .string()
          .meta({ description: "Path in the tree: empty for the root, 0.2, or annotation" }),
        group: Labels.meta({ description: "What the events of one message have in common" }),
        groupWaitMs: z.number(),
        groupIntervalMs: z.number(),
      }),
    ),
    routes: z
      .array(
        z.object({
          path: z.string(),
          receiver: z.string().optional(),
          matchers: z.array(z.object({ text: z.string(), holds: z.boolean() })),
          matches: z.boolean(),
          ends: z.boolean().meta({ description: "Whether the event ended here" }),
        }),
      )
      .meta({ description: "The routes that were asked, in their order" }),
    refused: z
      .array(z.object({ name: z.string(), why: z.enum(["unknown", "not-allowed"]) }))
      .meta({ description: "Names in the workload's annotation that do not count" }),
  }),
});

const LetterSummary = z.object({
  id: z.string(),
  at: Time,
  stage: z.string().meta({ description: "Who gave up" }),
  reason: z.string().meta({ description: "A machine word" }),
  message: z.string(),
  subject: z.string().meta({ description: "Of what could not be handled" }),
  notification: z
    .object({
      id: z.string().meta({ description: "The webhook-id over all tries" }),
      receiver: z.string(),
      events: z.number().int(),
      tries: z.number().int(),
    })
    .optional()
    .meta({ description: "Of a message to a receiver; only these can be redriven" }),
});

const LetterDetail = LetterSummary.extend({
  tries: z.array(z.object({ at: Time, reason: z.string(), message: z.string() })).optional(),
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
    receiver: Name.optional(),
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

export const NOTIFIER_INFO = {
  title: "Rollcast notifier",
  version: "1.0.0",
  description: "Who is told of rollouts, what could not be delivered, and what to do about it.",
} as const;
