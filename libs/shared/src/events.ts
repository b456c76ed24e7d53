import { createHash } from "node:crypto";
import { z } from "zod";

/**
 * The events, CloudEvents 1.0 in structured JSON (https://github.com/cloudevents/spec, `application/cloudevents+json`).
 * Within a major version only additions. They carry key names and causes, never a value and never the digest of one.
 */
export const CONTENT_TYPE = "application/cloudevents+json";

const Name = z.string().min(1).max(253);
const Time = z.iso.datetime({ precision: 3 });

/** `SecretProviderClass` is what the Secrets Store CSI driver mounts, as its pod statuses show it. */
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

/** Key names that differ, at most 100 over the three lists; `more` counts what the lists leave out. */
export const ChangedKeys = z.object({
  added: KeyNames,
  changed: KeyNames,
  removed: KeyNames,
  more: z.number().int().positive().optional(),
});
export type ChangedKeys = z.infer<typeof ChangedKeys>;

/** The newest managedFields manager that touched the data, and its time (RFC 3339, milliseconds). */
export const ChangedBy = z.object({ manager: z.string().max(253), time: Time.optional() });
export type ChangedBy = z.infer<typeof ChangedBy>;

/** Data of `source.*`: what changed, by whom, why it is told; nothing else of the object. */
export const SourceData = z.object({
  kind: SourceKind,
  namespace: Name,
  name: Name,
  uid: z.string().max(64),
  resourceVersion: z.string().max(64),
  changedKeys: ChangedKeys,
  changedBy: ChangedBy.optional(),
  /** A machine word: `data`, `recreated`, `created`, `deleted`. */
  reason: z.string().max(64),
});
export type SourceData = z.infer<typeof SourceData>;

export const ObjectId = z.object({ kind: Name, namespace: Name, name: Name });
export type ObjectId = z.infer<typeof ObjectId>;

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
  /** Identifies the rollout over all its events; absent where nothing was decided yet (planned, skipped). */
  rollout: z.string().max(64).optional(),
  queue: z.string().max(64).optional(),
  cause: Cause.optional(),
  /** How many sources this rollout brings to their present content. */
  sources: z.number().int().nonnegative().optional(),
  /** How many workloads the cause's source would roll, this one included. */
  affected: z.number().int().positive().optional(),
  /** A machine word for people to search for (`ProgressDeadlineExceeded`, `Forbidden`, `observe`). */
  reason: z.string().max(128).optional(),
  /** The cluster's own sentence, bounded. */
  message: z.string().max(1024).optional(),
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

/** Data of `notification.*`. */
export const NotificationData = z.object({
  receiver: z.string().max(63),
  /** Same over all tries of one notification; the `webhook-id` where the receiver is a webhook. */
  notification: z.string().max(64),
  /** Ids of events it tells of, at most 100. */
  events: z.array(z.string().max(128)).max(100),
  attempts: z.number().int().nonnegative(),
  reason: z.string().max(128).optional(),
  message: z.string().max(1024).optional(),
});
export type NotificationData = z.infer<typeof NotificationData>;

export const QueueOutcome = z.enum(["tuned", "paused", "resumed", "reset", "halted", "released"]);
export type QueueOutcome = z.infer<typeof QueueOutcome>;

/** Data of `queue.*`: how a queue of rollouts is steered, by whom. */
export const QueueData = z.object({
  queue: z.string().max(63),
  /** Who asked for it; `rollcast` for what Rollcast does by itself. */
  by: z.string().max(128),
  /** The limits that the file's are overridden with from now on (`tuned`); null: no limit; `rateLimit.per` in milliseconds. */
  limits: z
    .object({
      concurrency: z.number().int().optional(),
      rateLimit: z.object({ max: z.number().int(), per: z.number().int() }).nullable().optional(),
      maxRolling: z.number().int().nullable().optional(),
      maxRollingPerNamespace: z.number().int().nullable().optional(),
    })
    .optional(),
  /** When it ends by itself (RFC 3339, milliseconds). */
  until: Time.optional(),
  /** The sources whose change is halted or released, at most 20. */
  sources: z.array(ObjectId).max(20).optional(),
  /** How many of its rollouts failed (`halted`). */
  failed: z.number().int().nonnegative().optional(),
  /** A machine word: `expired` for an end that was set at the beginning. */
  reason: z.string().max(128).optional(),
});
export type QueueData = z.infer<typeof QueueData>;

export const FreezeOutcome = z.enum(["frozen", "unfrozen"]);
export type FreezeOutcome = z.infer<typeof FreezeOutcome>;

/** What a freeze covers: the cluster, one namespace, or one workload. */
export const FreezeScope = z.union([
  z.object({ level: z.literal("cluster") }),
  z.object({ level: z.literal("namespace"), namespace: Name }),
  z.object({ level: z.literal("workload"), kind: Name, namespace: Name, name: Name }),
]);
export type FreezeScope = z.infer<typeof FreezeScope>;

/** Data of `freeze.*`. */
export const FreezeData = z.object({
  scope: FreezeScope,
  by: z.string().max(128),
  until: Time.optional(),
  reason: z.string().max(256).optional(),
});
export type FreezeData = z.infer<typeof FreezeData>;

const Envelope = {
  specversion: z.literal("1.0"),
  id: z.string().min(1).max(128),
  source: z.string().min(1).max(300),
  subject: z.string().min(1).max(700).optional(),
  time: Time,
  datacontenttype: z.literal("application/json").optional(),
  /** W3C trace context, CloudEvents' distributed tracing extension. */
  traceparent: z.string().max(128).optional(),
};

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

export const NotificationEvent = z.object({
  ...Envelope,
  type: z.templateLiteral(["dev.rollcast.notification.", z.enum(["sent", "dead"]), ".v1"]),
  data: NotificationData,
});
export type NotificationEvent = z.infer<typeof NotificationEvent>;

export const QueueEvent = z.object({
  ...Envelope,
  type: z.templateLiteral(["dev.rollcast.queue.", QueueOutcome, ".v1"]),
  data: QueueData,
});
export type QueueEvent = z.infer<typeof QueueEvent>;

export const FreezeEvent = z.object({
  ...Envelope,
  type: z.templateLiteral(["dev.rollcast.freeze.", FreezeOutcome, ".v1"]),
  data: FreezeData,
});
export type FreezeEvent = z.infer<typeof FreezeEvent>;

export const RollcastEvent = z.union([
  SourceEvent,
  RolloutEvent,
  NotificationEvent,
  QueueEvent,
  FreezeEvent,
]);
export type RollcastEvent = z.infer<typeof RollcastEvent>;

function path({ kind, namespace, name }: ObjectId): string {
  return `${kind}/${namespace}/${name}`;
}

/** What an event is made of besides its type and data. `time` in milliseconds since the epoch. */
export type EventParts = { id: string; cluster: string; service: string; time: number };

function envelope(parts: EventParts, subject: string) {
  return {
    specversion: "1.0",
    id: parts.id,
    source: `/rollcast/${parts.cluster}/${parts.service}`,
    subject,
    time: new Date(parts.time).toISOString(),
    datacontenttype: "application/json",
  } as const;
}

export function sourceEvent(
  parts: EventParts,
  outcome: SourceOutcome,
  data: SourceData,
): SourceEvent {
  return { ...envelope(parts, path(data)), type: `dev.rollcast.source.${outcome}.v1`, data };
}

export function rolloutEvent(
  parts: EventParts,
  outcome: RolloutOutcome,
  data: RolloutData,
): RolloutEvent {
  const subject = path(data.workload);
  return { ...envelope(parts, subject), type: `dev.rollcast.rollout.${outcome}.v1`, data };
}

export function notificationEvent(
  parts: EventParts,
  outcome: "sent" | "dead",
  data: NotificationData,
): NotificationEvent {
  const type = `dev.rollcast.notification.${outcome}.v1` as const;
  return { ...envelope(parts, data.receiver), type, data };
}

export function queueEvent(parts: EventParts, outcome: QueueOutcome, data: QueueData): QueueEvent {
  return { ...envelope(parts, data.queue), type: `dev.rollcast.queue.${outcome}.v1`, data };
}

export function freezeEvent(
  parts: EventParts,
  outcome: FreezeOutcome,
  data: FreezeData,
): FreezeEvent {
  const { scope } = data;
  const subject =
    scope.level === "cluster"
      ? parts.cluster
      : scope.level === "namespace"
        ? scope.namespace
        : path(scope);
  return { ...envelope(parts, subject), type: `dev.rollcast.freeze.${outcome}.v1`, data };
}

/** The domain and word of an event's type: `{domain: "rollout", word: "failed"}`. */
export function eventOutcome(type: RollcastEvent["type"]): { domain: string; outcome: string } {
  const [, , domain = "", outcome = ""] = type.split(".");
  return { domain, outcome };
}

/** An id that is the same wherever and whenever the same parts meet: the first 128 bits of SHA-256, hex. */
export function stableId(...parts: readonly string[]): string {
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 32);
}
