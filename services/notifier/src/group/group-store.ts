import type { Entry } from "@rollcast/nats/kv";
import type { Context } from "../context.ts";
import { unseal } from "./group.ts";
import type { GroupRecord } from "../model/group-record.ts";
import { groupKey } from "../model/record-keys.ts";

export type GroupEntry = Entry<GroupRecord>;

/** For how long a group remembers what it told: longer than an event whose acknowledgement was lost takes to come again. Milliseconds. */
const REMEMBER_MS = 15 * 60_000;

export async function readGroup(ctx: Context, id: string): Promise<GroupEntry | undefined> {
  const entry = await ctx.records.get(groupKey(ctx.cluster, id));
  if (entry?.value.type !== "group") return undefined;
  return { ...entry, value: entry.value };
}

/** Takes out of the group what was sealed; events may join at the same time. */
export async function removeSealed(ctx: Context, sealed: GroupEntry): Promise<GroupEntry> {
  for (let entry: GroupEntry | undefined = sealed; entry !== undefined;) {
    const mark = entry.value.sealed?.notification;
    // Somebody else went on from our mark.
    if (mark !== sealed.value.sealed?.notification) return entry;
    const value = unseal(entry.value, Date.now());
    const revision = await ctx.records.update(entry.key, value, entry.revision);
    if (revision !== undefined) return { key: entry.key, value, revision };
    entry = await readGroup(ctx, sealed.value.id);
  }
  return sealed;
}

/**
 * Takes a notification's events out of its group where a crash left them there. To be done before the notification's record goes: while both are there, nobody
 * makes the same notification again.
 */
export async function releaseGroup(ctx: Context, id: string, notification: string): Promise<void> {
  const entry = await readGroup(ctx, id);
  if (entry?.value.sealed?.notification === notification) await removeSealed(ctx, entry);
}

/** Forgets a group in which nothing waits and whose memory is no longer needed. */
export async function removeIfSpent(ctx: Context, entry: GroupEntry, now: number): Promise<void> {
  const { events, lastSentAt = 0, intervalMs } = entry.value;
  if (events.length === 0 && now - lastSentAt > Math.max(REMEMBER_MS, intervalMs)) {
    await ctx.records.remove(entry.key, entry.revision);
  }
}
