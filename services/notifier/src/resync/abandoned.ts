import type { NotifyRecord } from "../model/notify-record.ts";

/** Longer than a receiver is missing by mistake; after that, its records are useless. */
const KEPT_MS = 24 * 3_600_000;

/**
 * Whether a record belongs to a receiver that left the configuration long ago; `now` in
 * milliseconds since the epoch.
 */
export function isAbandoned(
  record: NotifyRecord,
  receivers: { has(name: string): boolean },
  now: number,
): boolean {
  if (record.type !== "message-log" && record.type !== "alert") return false;
  const at =
    record.type === "alert"
      ? record.at
      : Math.max(0, ...record.posts.map(({ updatedAt }) => updatedAt));
  return !receivers.has(record.receiver) && now - at > KEPT_MS;
}
