import { z } from "zod";
import { RolloutEvent } from "@rollcast/shared/events";
import { AlertRecord } from "./alert-record.ts";
import { MessageLogRecord } from "./message-log-record.ts";

/**
 * A group of events that wait to be told together, in the KV bucket `notify` under `<cluster>.group.<id>`. An event is acknowledged when its group has it.
 * Times in milliseconds since the epoch.
 */
export const GroupRecord = z.object({
  v: z.literal(1),
  type: z.literal("group"),
  id: z.string(),
  receiver: z.string(),
  /** What the events of the group have in common, by the route's `groupBy`. */
  labels: z.record(z.string(), z.string()),
  /** Waiting events, oldest first. */
  events: z.array(RolloutEvent),
  /** Milliseconds between two messages of the group. */
  intervalMs: z.number(),
  /** When they are to be told; undefined where nothing waits. */
  dueAt: z.number().optional(),
  /** The first `events` of the list are being made into this notification; what joins meanwhile is not part of it. */
  sealed: z.object({ notification: z.string(), events: z.number().int() }).optional(),
  /** Short ids of events that were told lately, so that one delivered again does not join again. */
  recentEvents: z.array(z.string()),
  /** When the last of them were handed over. */
  lastSentAt: z.number().optional(),
});
export type GroupRecord = z.infer<typeof GroupRecord>;

/** One failed try. */
export const Try = z.object({ at: z.number(), reason: z.string(), message: z.string() });
export type Try = z.infer<typeof Try>;

/** A message on its way to one receiver, in the KV bucket `notify` under `<cluster>.message.<id>`. Removed when it is delivered or in the dead letters. */
export const NotificationRecord = z.object({
  v: z.literal(1),
  type: z.literal("notification"),
  /** The `webhook-id` over all tries. */
  id: z.string(),
  /** The group it was made of. */
  group: z.string(),
  receiver: z.string(),
  labels: z.record(z.string(), z.string()),
  events: z.array(RolloutEvent),
  createdAt: z.number(),
  /** When the next try is due. */
  dueAt: z.number(),
  /** Tries that failed, oldest first; pauses the receiver asked for are not among them. */
  tries: z.array(Try),
  /** How often it was taken out of the dead letters, and when last: its age counts from then. */
  redriven: z.object({ count: z.number().int().positive(), at: z.number() }).optional(),
  /** `sent` and `dead` are decided but perhaps not published yet. */
  state: z.enum(["waiting", "sent", "dead"]),
  /** Why it is dead. */
  reason: z.string().optional(),
  message: z.string().optional(),
});
export type NotificationRecord = z.infer<typeof NotificationRecord>;

/**
 * The receivers of the configuration that was read last, by any replica, in the KV bucket `notify` under `<cluster>.receivers`: a replica that has not read it yet must not take
 * a new receiver for a removed one.
 */
export const ReceiversRecord = z.object({
  v: z.literal(1),
  type: z.literal("receivers"),
  names: z.array(z.string()),
  /** When it was written. */
  at: z.number(),
});
export type ReceiversRecord = z.infer<typeof ReceiversRecord>;

/** Whatever the bucket holds. */
export const NotifyRecord = z.discriminatedUnion("type", [
  GroupRecord,
  NotificationRecord,
  ReceiversRecord,
  MessageLogRecord,
  AlertRecord,
]);
export type NotifyRecord = z.infer<typeof NotifyRecord>;

export function groupKey(cluster: string, id: string): string {
  return `${cluster}.group.${id}`;
}

/** `id` names the workload. */
export function alertKey(cluster: string, receiver: string, id: string): string {
  return `${cluster}.alert.${receiver}.${id}`;
}

export function messageLogKey(cluster: string, receiver: string): string {
  return `${cluster}.board.${receiver}`;
}

export function notificationKey(cluster: string, id: string): string {
  return `${cluster}.message.${id}`;
}

export function receiversKey(cluster: string): string {
  return `${cluster}.receivers`;
}
