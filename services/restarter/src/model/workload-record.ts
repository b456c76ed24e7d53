import { z } from "zod";
import { Cause, RolloutData, RolloutOutcome } from "@rollcast/shared/events";
import { Content } from "./content.ts";
import { Change } from "./control-entry.ts";

/** A decided event that must still be published, always under one id. */
export const OutboxEvent = z.object({
  id: z.string(),
  outcome: RolloutOutcome,
  /** Milliseconds since the epoch. */
  time: z.number(),
  data: RolloutData,
  /** W3C trace context that the event continues. */
  traceparent: z.string().optional(),
  /** The queue whose quota this event releases. */
  releasesQuota: z.string().optional(),
  /** The changes that the rollout brought, if it began and then failed or stalled. */
  failedChanges: z.array(Change).optional(),
  /** Set if a stalled rollout ended without failing: its changes' failure is no longer counted. */
  clearsFailure: z.boolean().optional(),
});
export type OutboxEvent = z.infer<typeof OutboxEvent>;

const Contents = z.record(z.string(), Content);

/** A rollout in progress. Times are milliseconds since the epoch. */
export const Rollout = z.object({
  id: z.string(),
  wanted: Contents,
  cause: Cause.optional(),
  /** W3C trace context of the decision; the end of the rollout belongs to the same trace. */
  traceparent: z.string().optional(),
  queue: z.string().optional(),
  /** It uses quota of its queue. */
  quota: z.boolean().optional(),
  /** The changes that it brings. */
  changes: z.array(Change).optional(),
  /** Who requested it, if no change caused it. */
  requestedBy: z.string().optional(),
  /** How many sources it brings to their present content. */
  changed: z.number(),
  /** How many workloads the cause rolls, including this one. */
  affected: z.number().optional(),
  /** The `metadata.generation` of the decision; the patch is rejected on any other. */
  guard: z.number(),
  /** The annotation that the patch writes. On the template past `guard`, it proves the patch. */
  marker: z.string(),
  /** Hash of the pod template without our marker, at the decision. */
  templateHash: z.string(),
  /** The same, if all pods had that template then: no other rollout was under way. */
  replaced: z.string().optional(),
  decidedAt: z.number(),
  /** When the causing source changed. */
  changedAt: z.number().optional(),
  /** The fields below are set once the patch is applied. */
  generation: z.number().optional(),
  startedAt: z.number().optional(),
  /** When it counts as stalled; unset while the workload is paused. */
  deadline: z.number().optional(),
  /** Its time limit in milliseconds, from the patch or the last resume. */
  stallTimeout: z.number().optional(),
  stalled: z.boolean().optional(),
  /** The newest rollout that the controller had begun at the decision, if it says which. */
  revision: z.number().optional(),
  /** The same, where that is the hash of a template. */
  templateId: z.string().optional(),
  /** Identifies how the rollout before had failed at the decision, as its status said. */
  failedBefore: z.string().optional(),
  /** For a CronJob: the id of the rollout as which its Job was asked for; default: its own. */
  madeAs: z.string().optional(),
  /** For a CronJob: the Job that was run; the rollout ends with it. */
  job: z.string().optional(),
});
export type Rollout = z.infer<typeof Rollout>;

/** Why the wanted content could not be applied, and when to retry. */
export const Failure = z.object({
  /** Hash of the wanted content; different content is tried at once. */
  wanted: z.string(),
  reason: z.string(),
  message: z.string(),
  /** The generation that was refused; a changed workload is tried at once. */
  generation: z.number(),
  attempts: z.number(),
  retryAt: z.number(),
  /** The events of the plans that were told as failed by it. */
  plans: z.array(z.string()).optional(),
});
export type Failure = z.infer<typeof Failure>;

/**
 * The record of a workload, in the KV bucket `workloads`. `phase`: `current` its pods run the
 * present content; `pending` a rollout is decided, the patch not confirmed; `rolling` patched and
 * not ended; `deferred` due later; `failed` the last rollout failed or was refused.
 */
export const WorkloadRecord = z.object({
  v: z.literal(1),
  kind: z.string(),
  namespace: z.string(),
  name: z.string(),
  /** A different uid is a different workload. */
  uid: z.string(),
  phase: z.enum(["current", "pending", "deferred", "rolling", "failed"]),
  /** The content its pods run, per source that rolls this workload. */
  running: Contents,
  /** When it was decided; of what changed later it knows nothing. Milliseconds since the epoch. */
  decidedAt: z.number().optional(),
  /** The newest generation this record is based on; an older index entry must not decide. */
  generation: z.number(),
  /** Hash of the pod template without our marker. */
  templateHash: z.string(),
  /** The version of the edit or creation that made this template, where the watch showed it. */
  editedVersion: z.string().optional(),
  /** Hash of our marker on the pod template; absent where an earlier version wrote the record. */
  marker: z.string().optional(),
  /** Hash of what our last restart by its time left on the object. */
  restarted: z.string().optional(),
  /** Hash of Reloader's marks on the pod template. */
  marks: z.string().optional(),
  /** Hash of the workload's reload annotations. */
  optIn: z.string().optional(),
  /** Which check decided on each source, by source key. */
  verdicts: z.record(z.string(), z.string()).optional(),
  rollout: Rollout.optional(),
  /**
   * Rollouts that were dropped while the result of their patch was unknown, oldest first, bounded:
   * the workload may still show that one was applied, up to the generation after its `guard`.
   */
  unconfirmed: z.array(Rollout).optional(),
  /** A change was published as planned at this time, and no outcome has followed yet. */
  planned: z
    .object({
      at: z.number(),
      cause: Cause.optional(),
      /** The events that said so, bounded: they may come again after its end. */
      ids: z.array(z.string()).optional(),
    })
    .optional(),
  /**
   * Its last rollout ended before every pod was replaced, and the workload has not come to rest
   * since: pods of an earlier template may be left.
   */
  partial: z.literal(true).optional(),
  /**
   * Templates that others have replaced since the workload came to rest, oldest first, bounded, and
   * what their pods run: whoever puts one back keeps those that are left. `marker` is the hash of
   * the marker on it; `mixed`: pods were left too of the same with another marker.
   */
  earlier: z
    .array(
      z.object({
        templateHash: z.string(),
        marker: z.string().optional(),
        mixed: z.literal(true).optional(),
        running: Contents,
      }),
    )
    .optional(),
  /** How often in a row the marker of this wanted content was taken off in mid-rollout. */
  stripped: z.object({ wanted: z.string(), count: z.number(), message: z.string() }).optional(),
  failure: Failure.optional(),
  /**
   * For a Job while it is recreated: its manifest (JSON, may hold literal environment values) and
   * the rollout that recreates it, whose `id` identifies the new Job. Kept from before the
   * deletion.
   */
  recreate: z.object({ manifest: z.string(), rollout: Rollout }).optional(),
  /** Why the workload must not be rolled now, if so. */
  hold: z.string().optional(),
  /** Hash of the wanted content that was reported as skipped, and not rolled. */
  reported: z.string().optional(),
  /** Set while `deferred`: why, the latest end, and the waiting changes if they are halted. */
  due: z
    .object({
      at: z.number().optional(),
      reason: z.string(),
      published: z.boolean(),
      changes: z.array(Change).optional(),
    })
    .optional(),
  /**
   * Since when its pods lack the present content: the time of the change, else of its discovery.
   */
  staleSince: z.number().optional(),
  /** Set while the loop breaker slows it: the minimum milliseconds between two rollouts. */
  throttle: z.object({ interval: z.number() }).optional(),
  /** Start times of the newest rollouts, oldest first, bounded. */
  history: z.array(z.number()),
  /** Rollouts that people requested, newest last, bounded; each runs once. */
  requests: z
    .array(z.object({ id: z.string(), at: z.number(), by: z.string(), done: z.boolean() }))
    .optional(),
  /** The last outcome. */
  last: z
    .object({ rollout: z.string(), outcome: RolloutOutcome, time: z.number(), reason: z.string() })
    .optional(),
  /**
   * Ids of the newest rollouts that ended, oldest first, bounded: a replica that stood still asks
   * here whether its own has.
   */
  ended: z.array(z.string()).optional(),
  outbox: z.array(OutboxEvent),
});
export type WorkloadRecord = z.infer<typeof WorkloadRecord>;

const MAX_ENDED = 4;

/** The ids of the rollouts that ended, with one more. */
export function endedWith({ ended = [] }: Pick<WorkloadRecord, "ended">, id: string): string[] {
  return [...ended.filter((other) => other !== id), id].slice(-MAX_ENDED);
}
