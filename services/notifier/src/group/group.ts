import type { RolloutEvent } from "@rollcast/shared/events";
import { stableId } from "@rollcast/shared/events";
import type { NotificationRecord } from "../model/notification-record.ts";
import type { GroupRecord } from "../model/group-record.ts";
import type { Membership } from "../route/router.ts";

/** A record, with everything around the events, must fit into one NATS message (1 MiB). */
export const MAX_GROUP_BYTES = 700_000;
export const MAX_GROUP_EVENTS = 1_000;
const MAX_TOLD = 2_000;
const SHORT_ID = 16;

export function groupId(membership: Membership): string {
  const labels = Object.entries(membership.labels).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return stableId(membership.receiver, membership.route, JSON.stringify(labels));
}

/** The key of a group's record in the bucket `notify`. */
export function groupKey(cluster: string, id: string): string {
  return `${cluster}.group.${id}`;
}

/** The key of a notification's record in the bucket `notify`. */
export function notificationKey(cluster: string, id: string): string {
  return `${cluster}.message.${id}`;
}

function shortId(event: RolloutEvent): string {
  return event.id.length <= SHORT_ID ? event.id : stableId(event.id).slice(0, SHORT_ID);
}

function sizeOf(event: RolloutEvent): number {
  return Buffer.byteLength(JSON.stringify(event)) + 1;
}

export type Joined = {
  readonly record: GroupRecord;
  /**
   * How many of the events, counted from the first, are in the record or were sent already; fewer
   * than given when the group is full.
   */
  readonly accepted: number;
  /** Whether the record changed. */
  readonly changed: boolean;
};

/** Adds the events to the group, each once; `now` in milliseconds since the epoch. */
export function join(
  before: GroupRecord | undefined,
  membership: Membership & { readonly id?: string },
  events: readonly RolloutEvent[],
  now: number,
): Joined {
  const record: GroupRecord = before ?? {
    v: 1,
    type: "group",
    id: membership.id ?? groupId(membership),
    receiver: membership.receiver,
    labels: { ...membership.labels },
    events: [],
    intervalMs: membership.groupIntervalMs,
    recentEvents: [],
  };
  const knownIds = new Set([...record.recentEvents, ...record.events.map(shortId)]);
  const joinedEvents = [...record.events];
  let bytes = joinedEvents.reduce((sum, event) => sum + sizeOf(event), 0);
  let accepted = 0;
  for (const event of events) {
    if (!knownIds.has(shortId(event))) {
      bytes += sizeOf(event);
      const isFull = bytes > MAX_GROUP_BYTES || joinedEvents.length >= MAX_GROUP_EVENTS;
      if (joinedEvents.length > 0 && isFull) break;
      joinedEvents.push(event);
      knownIds.add(shortId(event));
    }
    accepted++;
  }
  const changed = joinedEvents.length > record.events.length;
  const next = Math.max(
    now + membership.groupWaitMs,
    (record.lastSentAt ?? -Infinity) + membership.groupIntervalMs,
  );
  const dueAt = record.dueAt ?? (changed ? next : undefined);
  const joined: GroupRecord = {
    ...record,
    events: joinedEvents,
    intervalMs: membership.groupIntervalMs,
    dueAt,
  };
  return { record: joined, accepted, changed };
}

/**
 * Marks the events to send now. The seal names the notification and its number of events, so that a
 * flush that continues after a crash makes the same one.
 */
export function seal(record: GroupRecord): GroupRecord {
  const [first] = record.events;
  if (first === undefined || record.sealed !== undefined) return record;
  const notification = stableId(record.receiver, record.id, first.id);
  return { ...record, sealed: { notification, events: record.events.length } };
}

/** The notification that a sealed group makes. */
export function notificationOf(record: GroupRecord, now: number): NotificationRecord | undefined {
  if (record.sealed === undefined) return undefined;
  return {
    v: 1,
    type: "notification",
    id: record.sealed.notification,
    group: record.id,
    receiver: record.receiver,
    labels: record.labels,
    events: record.events.slice(0, record.sealed.events),
    createdAt: now,
    dueAt: now,
    attempts: [],
    state: "waiting",
  };
}

/**
 * The group without its sealed events. What joined meanwhile waits for the group's interval,
 * starting now.
 */
export function unseal(record: GroupRecord, now: number): GroupRecord {
  if (record.sealed === undefined) return record;
  const { sealed, dueAt: _, ...rest } = record;
  const recentEvents = [
    ...record.recentEvents,
    ...record.events.slice(0, sealed.events).map(shortId),
  ];
  const events = record.events.slice(sealed.events);
  return {
    ...rest,
    events,
    recentEvents: recentEvents.slice(-MAX_TOLD),
    lastSentAt: now,
    ...(events.length === 0 ? {} : { dueAt: now + record.intervalMs }),
  };
}
