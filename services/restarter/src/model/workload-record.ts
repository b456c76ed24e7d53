import { z } from "zod";
import { Cause, RolloutData, RolloutOutcome } from "@rollcast/shared/events";
import { Content } from "./content.ts";
import { Change } from "./control-entry.ts";

/** An event that was decided and must be published: by whoever finds it, under the same id. */
export const OutboxEvent = z.object({
  id: z.string(),
  outcome: RolloutOutcome,
  /** Milliseconds since the epoch. */
  time: z.number(),
  data: RolloutData,
  /** W3C trace context that the event goes on with. */
  traceparent: z.string().optional(),
  /** The queue in which this end frees the rollout's slot. */
  releasesQuota: z.string().optional(),
  /** Where the rollout began and failed, or has stalled: the changes that it brought. */
  failedChanges: z.array(Change).optional(),
  /** Set where the rollout had stalled and ends without having failed: what was counted against its changes is taken back. */
  clearsFailure: z.boolean().optional(),
});
export type OutboxEvent = z.infer<typeof OutboxEvent>;

const Contents = z.record(z.string(), Content);

/** A rollout under way. Times are milliseconds since the epoch. */
export const Rollout = z.object({
  id: z.string(),
  wanted: Contents,
  cause: Cause.optional(),
  /** W3C trace context of the decision, so that its end belongs to the trace too. */
  traceparent: z.string().optional(),
  queue: z.string().optional(),
  /** It holds a slot of its queue. */
  quota: z.boolean().optional(),
  /** The changes that it brings. */
  changes: z.array(Change).optional(),
  /** Who asked for it, where it is no change that caused it. */
  requestedBy: z.string().optional(),
  /** How many sources it brings to their present content. */
  changed: z.number(),
  /** How many workloads the cause rolls, this one included. */
  affected: z.number().optional(),
  /** The `metadata.generation` that the decision was made on: the patch is refused on any other. */
  guard: z.number(),
  /** The exact annotation that the patch writes: found on the template past `guard`, the patch was made. */
  marker: z.string(),
  /** Hash of the pod template without our marker, as it was decided on. */
  templateHash: z.string(),
  decidedAt: z.number(),
  /** When the source that caused it changed. */
  changedAt: z.number().optional(),
  /** From here on: once the patch was made. */
  generation: z.number().optional(),
  startedAt: z.number().optional(),
  /** When it is told as stalled; none while the workload is paused. */
  deadline: z.number().optional(),
  /** How long it may take, in milliseconds, from the patch or the last resume on. */
  stallTimeout: z.number().optional(),
  stalled: z.boolean().optional(),
  /** The newest rollout that the workload's controller had begun when this one was decided, where it counts them. */
  revision: z.number().optional(),
  /** Of a CronJob: the Job that was run, whose end is the rollout's. */
  job: z.string().optional(),
});
export type Rollout = z.infer<typeof Rollout>;

/** Why the wanted content could not be patched in, and when it is tried again. */
export const Failure = z.object({
  /** What was wanted, as a hash: another content is tried at once. */
  wanted: z.string(),
  reason: z.string(),
  message: z.string(),
  /** The workload's generation that was refused: a change of the workload is tried at once. */
  generation: z.number(),
  tries: z.number(),
  retryAt: z.number(),
});
export type Failure = z.infer<typeof Failure>;

/**
 * What is known of a workload, in the KV bucket `workloads`. `phase`: `current` its pods run the present content, `pending` a rollout is
 * decided and not known to be patched, `rolling` patched and not ended, `deferred` due later, `failed` the last rollout failed or was refused.
 */
export const WorkloadRecord = z.object({
  v: z.literal(1),
  kind: z.string(),
  namespace: z.string(),
  name: z.string(),
  /** Another uid is another workload. */
  uid: z.string(),
  phase: z.enum(["current", "pending", "deferred", "rolling", "failed"]),
  /** Per source that makes this workload roll: the content its pods run. */
  running: Contents,
  /** The newest generation this record was made on: an older index entry must not decide. */
  generation: z.number(),
  /** Hash of the pod template without our marker. */
  templateHash: z.string(),
  /** Hash of the marks that Reloader left on the pod template. */
  marks: z.string().optional(),
  /** Hash of what the annotations asked for. */
  optIn: z.string().optional(),
  /** Which check decided on each source, by the source's key. */
  verdicts: z.record(z.string(), z.string()).optional(),
  rollout: Rollout.optional(),
  failure: Failure.optional(),
  /**
   * Of a Job, from before it is deleted until it is there again under another uid: what it is made from (the manifest's JSON, which may hold literal values
   * of its environment), and the rollout that does it, by whose `id` the new Job is known.
   */
  recreate: z.object({ manifest: z.string(), rollout: Rollout }).optional(),
  /** Set while it must not be rolled: why. */
  hold: z.string().optional(),
  /** Hash of the wanted content that `mode: observe` has told. */
  reported: z.string().optional(),
  /** Set while `deferred`: why, until when at the latest, and which changes wait where it is they that are halted. */
  due: z
    .object({
      at: z.number().optional(),
      reason: z.string(),
      published: z.boolean(),
      changes: z.array(Change).optional(),
    })
    .optional(),
  /** Since when its pods have not run the present content: when the source changed, else when that was found. */
  staleSince: z.number().optional(),
  /** Set while the loop breaker slows this workload down: at least so many milliseconds between two of its rollouts. */
  throttle: z.object({ interval: z.number() }).optional(),
  /** When the newest rollouts started, oldest first, bounded. */
  history: z.array(z.number()),
  /** Rollouts that were asked for by people, newest last, bounded: each is made once. */
  requests: z
    .array(z.object({ id: z.string(), at: z.number(), by: z.string(), done: z.boolean() }))
    .optional(),
  /** How it ended last. */
  last: z
    .object({ rollout: z.string(), outcome: RolloutOutcome, time: z.number(), reason: z.string() })
    .optional(),
  outbox: z.array(OutboxEvent),
});
export type WorkloadRecord = z.infer<typeof WorkloadRecord>;
