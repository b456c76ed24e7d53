import { Time } from "../event-envelope.ts";
import { z } from "zod";
import { SourceKind } from "../events.ts";
import { PageQuery, pageOf } from "./page.ts";
import { defineRoute } from "./route.ts";
import {
  Kind,
  OtherInstallation,
  WorkloadName,
  WorkloadNamespace,
  WorkloadState,
  WorkloadDetail,
  WorkloadRef,
  WorkloadSummary,
} from "./workload-views.ts";

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
  otherInstallations: z
    .array(OtherInstallation.extend({ workloads: z.number(), first: WorkloadRef }))
    .optional()
    .meta({ description: "Who else rolls workloads of this installation, and how many" }),
  states: z.partialRecord(WorkloadState, z.number()).meta({ description: "Workloads by state" }),
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
    namespace: WorkloadNamespace.optional(),
    queue: z.string().max(63).optional(),
    state: WorkloadState.optional(),
    notCurrent: z
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
  query: z.strictObject({ ...PageQuery, namespace: WorkloadNamespace.optional() }),
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
  accepted: z.boolean().meta({ description: "false: a request with this id was accepted before" }),
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
  would: z
    .enum(["roll", "wait", "skip", "keep", "unknown"])
    .meta({ description: "`unknown`: it, or one of its sources, cannot be read" }),
  check: z.string(),
  message: z.string(),
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
    namespace: WorkloadNamespace,
    name: WorkloadName,
    keys: z
      .string()
      .max(4_000)
      .optional()
      .meta({ description: "The keys that would change, separated by commas; default all" }),
  }),
  response: pageOf(Impacted).extend({
    source: z.object({ kind: z.string(), namespace: z.string(), name: z.string() }),
    exists: z
      .boolean()
      .meta({ description: "Whether the watcher has seen it exist; true where nobody can read" }),
  }),
});

export const RESTARTER_INFO = {
  title: "Rollcast restarter",
  version: "1.0.0",
  description: "What rolls, what does not, and why; and what operators do about it.",
} as const;
