import { z } from "zod";
import { duration } from "../duration.ts";
import { defineRoute } from "./route.ts";

/**
 * The part of the restarter's HTTP API that changes it while running. Times are RFC 3339 with
 * milliseconds.
 */

const Time = z.iso.datetime({ precision: 3 });

const QueueName = z.string().max(63);

const bound = z.number().int().min(1).max(1_000);

const RateLimit = z.strictObject({
  max: z.number().int().min(1).max(100_000),
  perMs: z.number().int().min(100).max(86_400_000),
});

const Limits = z.object({
  concurrency: z.number(),
  rateLimit: RateLimit.optional(),
  maxRolling: z.number().optional(),
  maxRollingPerNamespace: z.number().optional(),
});

export const Origin = { by: z.string(), at: Time, until: Time.optional() };

const LiveSetting = z.object({
  setting: z.string(),
  value: z.string().meta({ description: "As people write it; `none` for no limit" }),
  ...Origin,
});

export const QueueView = z
  .object({
    name: z.string(),
    file: Limits.meta({ description: "What the configuration says" }),
    effective: Limits.meta({ description: "What holds now" }),
    paused: z.boolean(),
    live: z.array(LiveSetting).meta({ description: "What was set over the configuration" }),
    rolling: z
      .array(z.object({ workload: z.string(), rollout: z.string(), since: Time }))
      .meta({ description: "Workloads that use quota, where `maxRolling` bounds them" }),
    halted: z.array(z.object({ sources: z.array(z.string()), failed: z.number() })),
  })
  .meta({ description: "A queue as the file has it, with the settings that hold now" });
export type QueueView = z.infer<typeof QueueView>;

export const listQueues = defineRoute({
  method: "GET",
  path: "/v1/queues",
  name: "listQueues",
  summary: "Queues, what is set over their configuration, what rolls and what is halted",
  response: z.object({ items: z.array(QueueView) }),
});

/** How long a live setting or a freeze lasts; without it, until it is taken back. */
export const For = duration({ min: "1s", max: "8760h" }).optional();

export const updateQueue = defineRoute({
  method: "PATCH",
  path: "/v1/queues/{queue}",
  name: "updateQueue",
  summary: "Set limits over the configuration (null: no limit), pause, resume or reset a queue",
  params: z.strictObject({ queue: QueueName }),
  body: z.union([
    z.strictObject({
      limits: z
        .strictObject({
          concurrency: bound,
          rateLimit: RateLimit.nullable(),
          maxRolling: bound.nullable(),
          maxRollingPerNamespace: bound.nullable(),
        })
        .partial(),
      for: For,
    }),
    z.strictObject({ paused: z.literal(true), for: For }),
    z.strictObject({ paused: z.literal(false) }),
    z.strictObject({ reset: z.literal(true) }),
  ]),
  response: QueueView,
});

export const resumeHalted = defineRoute({
  method: "POST",
  path: "/v1/halts/resume",
  name: "resumeHalted",
  summary: "Let changes go on that were halted because their rollouts failed",
  body: z.strictObject({
    queue: QueueName.optional(),
    source: z
      .string()
      .max(600)
      .optional()
      .meta({ description: "<kind>/<namespace>/<name> of the source that changed" }),
  }),
  response: z.object({ resumed: z.number() }),
});
