import type { Entry } from "@rollcast/nats/kv";
import { put } from "@rollcast/nats/modify";
import type { Context } from "../context.ts";
import { unseal } from "./group.ts";
import type { GroupRecord } from "../model/group-record.ts";
import { groupKey } from "../model/record-keys.ts";

export type GroupEntry = Entry<GroupRecord>;

/**
 * How long a group remembers the events it has sent: longer than the redelivery of an event whose
 * acknowledgement was lost. Milliseconds.
 */
const REMEMBER_MS = 15 * 60_000;

export async function readGroup(ctx: Context, id: string): Promise<GroupEntry | undefined> {
  const entry = await ctx.records.get(groupKey(ctx.cluster, id));
  if (entry?.value.type !== "group") return undefined;
  return { ...entry, value: entry.value };
}

/** Removes the sealed events from the group; other events may join at the same time. */
export async function removeSealed(ctx: Context, sealed: GroupEntry): Promise<GroupEntry> {
  for (let entry: GroupEntry | undefined = sealed; entry !== undefined;) {
    const notification = entry.value.sealed?.notification;
    // Another flush already emptied what this one sealed.
    if (notification !== sealed.value.sealed?.notification) return entry;
    const value = unseal(entry.value, Date.now());
    const written = await put(ctx.records, entry.key, value, entry);
    if (written !== undefined) return written;
    entry = await readGroup(ctx, sealed.value.id);
  }
  return sealed;
}

/**
 * Empties a group that a crash left sealed for this notification. Must run before the
 * notification's record is removed: while the record exists, the same notification cannot be made
 * again.
 */
export async function releaseGroup(ctx: Context, id: string, notification: string): Promise<void> {
  const entry = await readGroup(ctx, id);
  if (entry?.value.sealed?.notification === notification) await removeSealed(ctx, entry);
}

/** Removes a group that holds no events and no longer needs to remember the last ones. */
export async function removeIfSpent(ctx: Context, entry: GroupEntry, now: number): Promise<void> {
  const { events, lastSentAt = 0, intervalMs } = entry.value;
  if (events.length === 0 && now - lastSentAt > Math.max(REMEMBER_MS, intervalMs)) {
    await ctx.records.remove(entry.key, entry.revision);
  }
}
