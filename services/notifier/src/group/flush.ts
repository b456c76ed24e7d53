import { RetryLater } from "@rollcast/shared/errors";
import type { Entry } from "@rollcast/nats/kv";
import type { Context } from "../context.ts";
import { notificationOf, closeGroup, reopenGroup } from "./group.ts";
import type { GroupRecord } from "../model/notify-record.ts";
import { groupKey, notificationKey } from "../model/notify-record.ts";

type GroupEntry = Entry<GroupRecord>;

/** For how long a group remembers what it told: longer than an event whose acknowledgement was lost takes to come again. Milliseconds. */
const REMEMBER_MS = 15 * 60_000;
const CONFLICT_MS = 200;

export async function readGroup(ctx: Context, id: string): Promise<GroupEntry | undefined> {
  const entry = await ctx.records.get(groupKey(ctx.cluster, id));
  if (entry?.value.type !== "group") return undefined;
  return { ...entry, value: entry.value };
}

async function write(ctx: Context, before: GroupEntry, value: GroupRecord): Promise<GroupEntry> {
  const revision = await ctx.records.update(before.key, value, before.revision);
  if (revision === undefined) throw new RetryLater(CONFLICT_MS, "the group was written meanwhile");
  return { key: before.key, value, revision };
}

/**
 * Turns a group that is due (or any, with `force`) into a notification: sealed, written, taken out of the group. Whoever is interrupted in between leaves a
 * sealed group, and the next one makes the very same notification of it. Throws {@link RetryLater} where it is not due yet or somebody else wrote.
 */
export async function flush(
  ctx: Context,
  id: string,
  options: { force?: boolean } = {},
): Promise<void> {
  const found = await readGroup(ctx, id);
  if (found === undefined || found.value.events.length === 0) return;
  const wait = (found.value.dueAt ?? 0) - Date.now();
  if (wait > 0 && options.force !== true && found.value.sealed === undefined) {
    throw new RetryLater(wait, "the group is not due yet");
  }
  const sealed =
    found.value.sealed === undefined ? await write(ctx, found, closeGroup(found.value)) : found;
  ctx.failpoint("group-sealed");
  const notification = notificationOf(sealed.value, Date.now());
  if (notification === undefined) return;
  // Where it exists already, it is the same one, by an earlier try of this.
  await ctx.records.create(notificationKey(ctx.cluster, notification.id), notification);
  ctx.failpoint("notification-written");
  const after = await empty(ctx, sealed);
  ctx.failpoint("group-emptied");
  try {
    await ctx.jobs.deliver(notification, 0);
  } catch (err) {
    const data = { err, notification: notification.id };
    ctx.logger.warn(data, "turn of a notification not added, the sweep will");
  }
  ctx.failpoint("turn-added");
  if (after.value.dueAt !== undefined && options.force !== true) {
    throw new RetryLater(Math.max(after.value.dueAt - Date.now(), 1), "others joined meanwhile");
  }
}

/** Takes out of the group what was sealed; events may join at the same time. */
async function empty(ctx: Context, sealed: GroupEntry): Promise<GroupEntry> {
  for (let entry: GroupEntry | undefined = sealed; entry !== undefined;) {
    const mark = entry.value.sealed?.notification;
    // Somebody else went on from our mark.
    if (mark !== sealed.value.sealed?.notification) return entry;
    const value = reopenGroup(entry.value, Date.now());
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
  if (entry?.value.sealed?.notification === notification) await empty(ctx, entry);
}

/** Forgets a group in which nothing waits and whose memory is no longer needed. */
export async function forget(ctx: Context, entry: GroupEntry, now: number): Promise<void> {
  const { events, lastSentAt = 0, intervalMs } = entry.value;
  if (events.length === 0 && now - lastSentAt > Math.max(REMEMBER_MS, intervalMs)) {
    await ctx.records.remove(entry.key, entry.revision);
  }
}
