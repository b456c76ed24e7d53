import { z } from "zod";
import { ROUTE_LABELS } from "../config/routes.ts";
import { RolloutEvent } from "../events.ts";
import { PageQuery, pageOf } from "./page.ts";
import { defineRoute } from "./route.ts";
import { Time } from "../event-envelope.ts";
import { Labels, ReceiverRef } from "./dead-letter-routes.ts";

const ReceiverState = z.object({
  name: z.string(),
  kind: z.string().meta({ description: "webhook, slack, teams, ..." }),
  circuit: z
    .enum(["closed", "open", "gone"])
    .optional()
    .meta({ description: "Of the replica that answers; absent for a receiver that sends nothing" }),
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
  summary: "Send a test message now, past the receiver's queue, and return what it answered",
  params: z.strictObject({ name: ReceiverRef }),
  response: z.object({
    result: z.enum(["sent", "later", "failed", "refused"]).meta({
      description:
        "later: the receiver asks to wait; failed: another attempt may do; refused: none will",
    }),
    reason: z.string().optional().meta({ description: "In CamelCase, like `Http503`" }),
    message: z.string().optional(),
    durationMs: z.number().int(),
  }),
});

export const explainRoutes = defineRoute({
  method: "POST",
  path: "/v1/routes/explain",
  name: "explainRoutes",
  summary: "Who would be notified of an event, in which group, and why",
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
          matchers: z.array(z.object({ text: z.string(), matches: z.boolean() })),
          matches: z.boolean(),
          ends: z.boolean().meta({ description: "Whether the event ended here" }),
        }),
      )
      .meta({ description: "The routes that were asked, in their order" }),
    refused: z
      .array(z.object({ name: z.string(), reason: z.enum(["Unknown", "NotAllowed"]) }))
      .meta({ description: "Names in the workload's annotation that do not count" }),
  }),
});

export const NOTIFIER_INFO = {
  title: "Rollcast notifier",
  version: "1.0.0",
  description: "Who is notified of rollouts, what could not be delivered, and what to do about it.",
} as const;
