import { createHash } from "node:crypto";
import { z } from "zod";
import { FreezeEvent, QueueEvent } from "./operation-events.ts";
import { NotificationEvent } from "./notification-event.ts";
import { Envelope, MessageText, Name, ObjectId, ReasonText, Time } from "./event-envelope.ts";

/**
 * The events, CloudEvents 1.0 in structured JSON (https://github.com/cloudevents/spec,
 * `application/cloudevents+json`). Within a major version only additions. They carry key names and
 * causes, never a value and never the digest of one.
 */
export const CONTENT_TYPE = "application/cloudevents+json";
/** `SecretProviderClass` is what the Secrets Store CSI driver mounts, as pod statuses show it. */
export const SOURCE_KINDS = ["ConfigMap", "Secret", "SecretProviderClass"] as const;

export const SourceKind = z.enum(SOURCE_KINDS);
export type SourceKind = z.infer<typeof SourceKind>;

export const SourceOutcome = z.enum(["changed", "created", "deleted"]);
export type SourceOutcome = z.infer<typeof SourceOutcome>;

export const RolloutOutcome = z.enum([
  "planned",
  "deferred",
  "throttled",
  "started",
  "stalled",
  "succeeded",
  "failed",
  "superseded",
  "cancelled",
  "skipped",
]);
export type RolloutOutcome = z.infer<typeof RolloutOutcome>;

const KeyNames = z.array(z.string().max(1_024)).max(100);

/** Key names that differ, at most 100 over the three lists; `more` counts those left out. */
export const ChangedKeys = z.object({
  added: KeyNames,
  changed: KeyNames,
  removed: KeyNames,
  more: z.number().int().positive().optional(),
});
export type ChangedKeys = z.infer<typeof ChangedKeys>;

/** The newest managedFields manager of the data, and its time (RFC 3339, milliseconds). */
export const ChangedBy = z.object({ manager: z.string().max(253), time: Time.optional() });
export type ChangedBy = z.infer<typeof ChangedBy>;

/** Data of `source.*`: what changed, by whom, why it is published; nothing else of the object. */
export const SourceData = z.object({
  kind: SourceKind,
  namespace: Name,
  name: Name,
  uid: z.string().max(64),
  resourceVersion: z.string().max(64),
  changedKeys: ChangedKeys,
  changedBy: ChangedBy.optional(),
  /** `DataChanged`, `Recreated`, `Created` or `Deleted`. */
  reason: z.string().max(64),
});
export type SourceData = z.infer<typeof SourceData>;

/** The change that a rollout answers: the newest of those that were merged into it. */
export const Cause = z.object({
  kind: SourceKind,
  namespace: Name,
  name: Name,
  changedKeys: ChangedKeys.optional(),
  changedBy: ChangedBy.optional(),
  /** When the source changed (RFC 3339, milliseconds), as observed by the watcher. */
  changedAt: Time.optional(),
});
export type Cause = z.infer<typeof Cause>;

/** Data of `rollout.*`. */
export const RolloutData = z.object({
  workload: ObjectId.extend({ uid: z.string().max(64) }),
  /**
   * Identifies the rollout over all its events; absent where nothing was decided yet (planned,
   * skipped).
   */
  rollout: z.string().max(64).optional(),
  queue: z.string().max(64).optional(),
  cause: Cause.optional(),
  /** How many sources this rollout brings to their present content. */
  sources: z.number().int().nonnegative().optional(),
  /** How many workloads the cause's source would roll, this one included. */
  affected: z.number().int().positive().optional(),
  reason: ReasonText.optional(),
  message: MessageText.optional(),
  /** Milliseconds from the patch to this event (ends and `stalled`). */
  durationMs: z.number().int().nonnegative().optional(),
  /** Milliseconds from the change of the source to healthy (`succeeded`). */
  changeToHealthyMs: z.number().int().nonnegative().optional(),
  /** `metadata.generation` that the patch made. */
  generation: z.number().int().nonnegative().optional(),
  /** When a deferred or throttled rollout is due (RFC 3339, milliseconds). */
  dueAt: Time.optional(),
  /** What the workload's annotation `rollcast.dev/notify` lists: names of receivers, or `none`. */
  notify: z.array(z.string().max(63)).max(20).optional(),
});
export type RolloutData = z.infer<typeof RolloutData>;

export const SourceEvent = z.object({
  ...Envelope,
  type: z.templateLiteral(["dev.rollcast.source.", SourceOutcome, ".v1"]),
  data: SourceData,
});
export type SourceEvent = z.infer<typeof SourceEvent>;

export const RolloutEvent = z.object({
  ...Envelope,
  type: z.templateLiteral(["dev.rollcast.rollout.", RolloutOutcome, ".v1"]),
  data: RolloutData,
});
export type RolloutEvent = z.infer<typeof RolloutEvent>;

export const RollcastEvent = z.union([
  SourceEvent,
  RolloutEvent,
  NotificationEvent,
  QueueEvent,
  FreezeEvent,
]);
export type RollcastEvent = z.infer<typeof RollcastEvent>;

/** The domain and word of an event's type: `{domain: "rollout", word: "failed"}`. */
export function eventOutcome(type: RollcastEvent["type"]): { domain: string; outcome: string } {
  const [, , domain = "", outcome = ""] = type.split(".");
  return { domain, outcome };
}

/**
 * An id that is the same wherever and whenever the same parts meet: the first 128 bits of SHA-256,
 * hex.
 */
export function stableId(...parts: readonly string[]): string {
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 32);
}
