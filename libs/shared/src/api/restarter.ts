import { z } from "zod";
import { Cause, ChangedBy, SourceKind } from "../events.ts";
import { PageQuery, pageOf } from "./page.ts";
import { defineRoute } from "./route.ts";

/** The HTTP API of the restarter, as its server and its clients see it. Times are RFC 3339 with milliseconds. */

const Time = z.iso.datetime({ precision: 3 });
const Kind = z.string().regex(/^[A-Z][A-Za-z]{1,62}$/, "must be a kind, like Deployment");
const Namespace = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, "must be the name of a namespace");
const Name = z
  .string()
  .max(253)
  .regex(/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/, "must be the name of an object");

export const WorkloadRef = z.strictObject({ kind: Kind, namespace: Namespace, name: Name });
export type WorkloadRef = z.infer<typeof WorkloadRef>;

/**
 * What can be true of a workload, several at once. `stale`: its pods do not run the present content. `waiting`: a rollout is due and put off. `current`: none of the
 * others.
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
export const State = z.enum(STATES);
export type State = z.infer<typeof State>;

const Failure = z
  .object({ reason: z.string(), message: z.string(), tries: z.number(), retryAt: Time })
  .meta({ description: "Why its patch was refused, and when it is tried again" });

export const WorkloadSummary = z
  .object({
    kind: z.string(),
    namespace: z.string(),
    name: z.string(),
    queue: z.string(),
    states: z.array(State),
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
    reason: z.string(),
    checks: z.array(Check).meta({ description: "Every check that was asked, in order" }),
  })
  .meta({ description: "A source, as one workload uses it" });
export type SourceView = z.infer<typeof SourceView>;

export const Decision = z
  .object({
    do: z.enum(["keep", "roll", "wait", "skip", "look-again"]),
    reason: z.string().optional(),
    at: Time.optional(),
  })
  .meta({ description: "What is done next, and when" });
export type Decision = z.infer<typeof Decision>;

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

export const WorkloadDetail = WorkloadSummary.extend({
  uid: z.string(),
  generation: z.number(),
  mayRoll: z.boolean().meta({ description: "Whether any source could make it roll" }),
  next: Decision,
  sources: z.array(SourceView),
  rollouts: z.array(Time).meta({ description: "When its last rollouts began, newest first" }),
  events: z
    .array(RolloutLine)
    .meta({ description: "The newest event of each outcome, newest first" }),
}).meta({ description: "A workload, and why it rolls or not" });
export type WorkloadDetail = z.infer<typeof WorkloadDetail>;

export const StatusView = z.object({
  cluster: z.string(),
  mode: z.enum(["active", "observe"]),
  instance: z.string(),
  faults: z.array(z.string()).meta({ description: "What this replica lacks now" }),
  redis: z
    .string()
    .optional()
    .meta({ description: "`ok`, or why this replica cannot use Redis now; then a fault too" }),
  watchStalenessSeconds: z
    .number()
    .optional()
    .meta({ description: "Since the watches of workloads last proved that they deliver" }),
  eventsPending: z.number().optional().meta({ description: "Source events not yet planned" }),
  workloads: z.number().meta({ description: "Workloads that are watched" }),
  mayRoll: z.number().meta({ description: "Those that any source could make roll" }),
  states: z.partialRecord(State, z.number()).meta({ description: "Workloads by state" }),
});
export type StatusView = z.infer<typeof StatusView>;

export const getStatus = defineRoute({
  method: "GET",
  path: "/v1/status",
  name: "getStatus",
  summary: "How the restarter is, and how many workloads are in which state",
  response: StatusView,
});

export const listWorkloads = defineRoute({
  method: "GET",
  path: "/v1/workloads",
  name: "listWorkloads",
  summary: "Workloads that may roll, by kind, namespace and name",
  query: z.strictObject({
    ...PageQuery,
    kind: Kind.optional(),
    namespace: Namespace.optional(),
    queue: z.string().max(63).optional(),
    state: State.optional(),
    unsettled: z
      .stringbool()
      .optional()
      .meta({ type: "boolean", description: "Only those in another state than `current`" }),
  }),
  response: pageOf(WorkloadSummary),
});

export const listStale = defineRoute({
  method: "GET",
  path: "/v1/stale",
  name: "listStale",
  summary: "Workloads whose pods do not run the present content, the longest first",
  query: z.strictObject({ ...PageQuery, namespace: Namespace.optional() }),
  response: pageOf(WorkloadSummary),
});

export const getWorkload = defineRoute({
  method: "GET",
  path: "/v1/workloads/{kind}/{namespace}/{name}",
  name: "getWorkload",
  summary:
    "One workload: its sources, each check with its verdict, what is next, its last rollouts",
  params: WorkloadRef,
  response: WorkloadDetail,
});

const Accepted = z.object({
  workload: WorkloadRef,
  accepted: z.boolean().meta({ description: "false: this very request was taken before" }),
});

export const rollWorkload = defineRoute({
  method: "POST",
  path: "/v1/workloads/{kind}/{namespace}/{name}/roll",
  name: "rollWorkload",
  summary: "Roll the present content once more, now; once for each request id",
  params: WorkloadRef,
  body: z.strictObject({
    requestId: z
      .string()
      .regex(/^[A-Za-z0-9_-]{8,64}$/, "must be 8 to 64 of A-Z, a-z, 0-9, _ and -")
      .meta({ description: "A repeated request with the same id rolls nothing more" }),
  }),
  response: Accepted,
  status: 202,
});

export const retryWorkload = defineRoute({
  method: "POST",
  path: "/v1/workloads/{kind}/{namespace}/{name}/retry",
  name: "retryWorkload",
  summary: "Try a refused rollout now instead of later",
  params: WorkloadRef,
  response: Accepted,
  status: 202,
});

const Impacted = z.object({
  ...WorkloadRef.shape,
  kind: z.string(),
  would: z.enum(["roll", "wait", "skip", "keep"]),
  check: z.string(),
  reason: z.string(),
  at: Time.optional().meta({ description: "When the rollout would begin, where it would wait" }),
  keys: z.union([z.literal("*"), z.array(z.string())]).optional(),
});

export const getImpact = defineRoute({
  method: "GET",
  path: "/v1/impact",
  name: "getImpact",
  summary: "What would roll if this source changed now, and why the others that use it would not",
  query: z.strictObject({
    ...PageQuery,
    kind: SourceKind,
    namespace: Namespace,
    name: Name,
    keys: z
      .string()
      .max(4_000)
      .optional()
      .meta({ description: "The keys that would change, separated by commas; all unless told" }),
  }),
  response: pageOf(Impacted).extend({
    source: z.object({ kind: z.string(), namespace: z.string(), name: z.string() }),
    known: z.boolean().meta({ description: "Whether the watcher has seen it exist" }),
  }),
});

export const RESTARTER_INFO = {
  title: "Rollcast restarter",
  version: "1.0.0",
  description: "What rolls, what does not, and why; and what operators do about it.",
} as const;
