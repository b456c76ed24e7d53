import type {
  FreezeData,
  FreezeEvent,
  FreezeOutcome,
  QueueData,
  QueueEvent,
  QueueOutcome,
} from "./operation-events.ts";
import type { NotificationData, NotificationEvent } from "./notification-event.ts";
import type {
  RolloutData,
  RolloutEvent,
  RolloutOutcome,
  SourceData,
  SourceEvent,
  SourceOutcome,
} from "./events.ts";
import type { ObjectId } from "./event-envelope.ts";

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
