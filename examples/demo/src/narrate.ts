import type { ChangedBy, ChangedKeys, RollcastEvent } from "@rollcast/shared/events";
import type { ObjectId } from "@rollcast/shared/event-envelope";

type Named = { readonly namespace: string; readonly name: string };

function nameOf({ namespace, name }: Named): string {
  return `${namespace}/${name}`;
}

/** `demo/web` for a Deployment; other kinds are named. */
function workloadOf(workload: ObjectId): string {
  return workload.kind === "Deployment" ? nameOf(workload) : `${workload.kind} ${nameOf(workload)}`;
}

function keysOf({ added, changed, removed, more }: ChangedKeys): string {
  const names = [
    ...changed,
    ...added.map((key) => `+${key}`),
    ...removed.map((key) => `-${key}`),
    ...(more === undefined ? [] : [`and ${more} more`]),
  ];
  return names.length === 0 ? "" : `: ${names.join(", ")}`;
}

function byOf(changedBy: ChangedBy | undefined): string {
  return changedBy === undefined ? "" : ` (${changedBy.manager})`;
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}

function because(data: { reason?: string; message?: string }): string {
  const parts = [data.reason, data.message].filter((part) => part !== undefined);
  return parts.length === 0 ? "" : `: ${parts.join(", ")}`;
}

function after(durationMs: number | undefined): string {
  return durationMs === undefined ? "" : ` after ${seconds(durationMs)}`;
}

/** An event in plain words. */
export function narrate(event: RollcastEvent): string {
  switch (event.type) {
    case "dev.rollcast.source.changed.v1":
    case "dev.rollcast.source.created.v1":
    case "dev.rollcast.source.deleted.v1": {
      const { data } = event;
      const keys = event.type === "dev.rollcast.source.changed.v1" ? keysOf(data.changedKeys) : "";
      const word = event.type.split(".")[3] ?? "";
      return `${data.kind} ${nameOf(data)} ${word}${keys}${byOf(data.changedBy)}`;
    }
    case "dev.rollcast.notification.sent.v1":
      return `delivered to ${event.data.receiver}`;
    case "dev.rollcast.notification.dead.v1":
      return `given up on ${event.data.receiver} after ${event.data.attempts} attempts${because(event.data)}`;
    case "dev.rollcast.queue.updated.v1":
    case "dev.rollcast.queue.paused.v1":
    case "dev.rollcast.queue.resumed.v1":
    case "dev.rollcast.queue.reset.v1":
    case "dev.rollcast.queue.halted.v1":
    case "dev.rollcast.queue.released.v1":
      return `queue ${event.data.queue} ${event.type.split(".")[3]} by ${event.data.by}`;
    case "dev.rollcast.freeze.frozen.v1":
    case "dev.rollcast.freeze.unfrozen.v1":
      return `${event.data.scope.level} ${event.subject} ${event.type.split(".")[3]} by ${event.data.by}`;
    case "dev.rollcast.rollout.planned.v1":
      return `planned ${workloadOf(event.data.workload)}`;
    case "dev.rollcast.rollout.deferred.v1":
      return `${workloadOf(event.data.workload)} deferred${due(event.data.dueAt)}${because(event.data)}`;
    case "dev.rollcast.rollout.throttled.v1":
      return `${workloadOf(event.data.workload)} slowed down${due(event.data.dueAt)}${because(event.data)}`;
    case "dev.rollcast.rollout.started.v1":
      return `${workloadOf(event.data.workload)} rolled`;
    case "dev.rollcast.rollout.stalled.v1":
      return `${workloadOf(event.data.workload)} not healthy yet${after(event.data.durationMs)}${because(event.data)}`;
    case "dev.rollcast.rollout.succeeded.v1":
      return `${workloadOf(event.data.workload)} healthy${after(event.data.durationMs)}`;
    case "dev.rollcast.rollout.failed.v1":
      return `${workloadOf(event.data.workload)} FAILED${after(event.data.durationMs)}${because(event.data)}`;
    case "dev.rollcast.rollout.superseded.v1":
      return `${workloadOf(event.data.workload)} overtaken by a newer change`;
    case "dev.rollcast.rollout.cancelled.v1":
      return `${workloadOf(event.data.workload)} is gone`;
    case "dev.rollcast.rollout.skipped.v1":
      return `${workloadOf(event.data.workload)} left alone${because(event.data)}`;
  }
}

/** A request to the webhook: its title, or why its signature was refused. */
export function narrateDelivery(delivery: { title?: string; fault?: string }): string {
  if (delivery.fault !== undefined) return `webhook REFUSED: ${delivery.fault}`;
  const title = delivery.title === undefined ? "" : `: "${delivery.title}"`;
  return `delivered to webhook (signature verified)${title}`;
}

function due(at: string | undefined): string {
  return at === undefined ? "" : ` until ${clock(Date.parse(at))}`;
}

/**
 * Joins plans of one change into one line: `planned demo/web, demo/api`; undefined if they do not
 * belong together.
 */
export function joinPlans(line: string, event: RollcastEvent): string | undefined {
  if (!line.startsWith("planned ") || event.type !== "dev.rollcast.rollout.planned.v1") {
    return undefined;
  }
  const name = workloadOf(event.data.workload);
  const names = line.slice("planned ".length).split(", ");
  return names.includes(name) ? line : `${line}, ${name}`;
}

/** The local time of day, `12:00:01.204`, of milliseconds since the epoch. */
export function clock(ms: number): string {
  const time = new Date(ms);
  const two = (n: number) => String(n).padStart(2, "0");
  const day = [time.getHours(), time.getMinutes(), time.getSeconds()].map(two).join(":");
  return `${day}.${String(time.getMilliseconds()).padStart(3, "0")}`;
}
