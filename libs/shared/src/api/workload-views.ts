import { Time } from "../event-envelope.ts";
import { z } from "zod";
import { Cause, ChangedBy, SourceKind } from "../events.ts";

/**
 * The HTTP API of the restarter, as its server and its clients see it. Times are RFC 3339 with
 * milliseconds.
 */

export const Kind = z.string().regex(/^[A-Z][A-Za-z]{1,62}$/, "must be a kind, like Deployment");

export const WorkloadNamespace = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, "must be the name of a namespace");

export const WorkloadName = z
  .string()
  .max(253)
  .regex(/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/, "must be the name of an object");

export const WorkloadRef = z.strictObject({
  kind: Kind,
  namespace: WorkloadNamespace,
  name: WorkloadName,
});
export type WorkloadRef = z.infer<typeof WorkloadRef>;

/**
 * What can be true of a workload, several at once. `stale`: its pods do not run the present
 * content. `waiting`: a rollout is due and put off. `current`: none of the others.
 */
export const STATES = [
  "current",
  "stale",
  "waiting",
  "rolling",
  "failed",
  "throttled",
  "halted",
  "frozen",
] as const;

export const WorkloadState = z.enum(STATES);
export type WorkloadState = z.infer<typeof WorkloadState>;

const Failure = z
  .object({ reason: z.string(), message: z.string(), attempts: z.number(), retryAt: Time })
  .meta({ description: "Why its patch was refused, and when it is tried again" });

export const WorkloadSummary = z
  .object({
    kind: z.string(),
    namespace: z.string(),
    name: z.string(),
    queue: z.string(),
    states: z.array(WorkloadState),
    staleSince: Time.optional(),
    due: z.object({ reason: z.string(), at: Time.optional() }).optional(),
    rollout: z
      .object({
        id: z.string(),
        startedAt: Time.optional(),
        deadline: Time.optional(),
        stalled: z.boolean(),
        cause: Cause.optional(),
      })
      .optional()
      .meta({ description: "The rollout under way" }),
    failure: Failure.optional(),
    last: z
      .object({ outcome: z.string(), reason: z.string(), at: Time })
      .optional()
      .meta({ description: "How its last rollout ended" }),
  })
  .meta({ description: "A workload that may roll" });
export type WorkloadSummary = z.infer<typeof WorkloadSummary>;

const Check = z.object({ check: z.string(), applies: z.boolean() });

export const SourceView = z
  .object({
    kind: SourceKind,
    namespace: z.string(),
    name: z.string(),
    keys: z
      .union([z.literal("*"), z.array(z.string())])
      .optional()
      .meta({ description: "Keys that count; absent where the source does not make it roll" }),
    running: z
      .string()
      .optional()
      .meta({ description: "Short digest of the content its pods run, `absent` or `unknown`" }),
    present: z.string().meta({ description: "Short digest of the present content, or `absent`" }),
    equal: z.boolean().optional(),
    changedAt: Time.optional(),
    changedBy: ChangedBy.optional(),
    rolls: z.boolean(),
    check: z.string().meta({ description: "The check that decided" }),
    message: z.string(),
    checks: z.array(Check).meta({ description: "Every check that was asked, in order" }),
  })
  .meta({ description: "A source, as one workload uses it" });
export type SourceView = z.infer<typeof SourceView>;

export const DecisionView = z
  .object({
    do: z.enum(["keep", "roll", "wait", "skip", "requeue"]),
    reason: z.string().optional(),
    message: z.string().optional(),
    at: Time.optional(),
  })
  .meta({ description: "What is done next, and when" });
export type DecisionView = z.infer<typeof DecisionView>;

export const RolloutLine = z.object({
  at: Time,
  outcome: z.string(),
  rollout: z.string().optional(),
  reason: z.string().optional(),
  message: z.string().optional(),
  durationMs: z.number().optional(),
  cause: Cause.optional(),
});
export type RolloutLine = z.infer<typeof RolloutLine>;

const KeyId = z.string().meta({ description: "Id of an installation key" });

const AnnotationFault = z
  .object({
    source: z.string().optional().meta({ description: "The source that has it, not the workload" }),
    annotation: z.string(),
    message: z.string(),
  })
  .meta({ description: "A value of an annotation that cannot be read, and what is done instead" });

/** Another installation that rolls what this one rolls. */
export const OtherInstallation = z
  .object({ keyId: KeyId, ownKeyId: KeyId })
  .meta({ description: "Another installation that rolls the workload as well, and this one" });

export const WorkloadDetail = WorkloadSummary.extend({
  uid: z.string(),
  generation: z.number(),
  mayRoll: z.boolean().meta({ description: "Whether any source could make it roll" }),
  otherInstallation: OtherInstallation.optional(),
  next: DecisionView,
  annotationFaults: z.array(AnnotationFault).optional(),
  sources: z.array(SourceView),
  rollouts: z.array(Time).meta({ description: "When its last rollouts began, newest first" }),
  events: z
    .array(RolloutLine)
    .meta({ description: "The newest event of each outcome, newest first" }),
}).meta({ description: "A workload, and why it rolls or not" });
export type WorkloadDetail = z.infer<typeof WorkloadDetail>;
