import type { Entry } from "@rollcast/nats/kv";
import { put } from "@rollcast/nats/modify";
import { RetryLaterError } from "@rollcast/shared/errors";
import type { Context } from "../context.ts";
import type { GroupRecord } from "../model/group-record.ts";
import { groupKey, notificationKey, notificationOf, seal, unseal } from "./group.ts";

type GroupEntry = Entry<GroupRecord>;

const CONFLICT_MS = 200;
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

async function write(ctx: Context, before: GroupEntry, value: GroupRecord): Promise<GroupEntry> {
  const written = await put(ctx.records, before.key, value, before);
  if (written === undefined)
    throw new RetryLaterError(CONFLICT_MS, "the group was changed concurrently");
  return written;
}

/** Removes the sealed events from the group; other events may join at the same time. */
async function removeSealed(ctx: Context, sealed: GroupEntry): Promise<GroupEntry> {
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
 * Turns a due group (any group, with `force`) into a notification: seals it, writes the
 * notification, then empties the group. An interrupted flush leaves the group sealed, and the next
 * flush makes exactly the same notification. Throws {@link RetryLaterError} when the group is not
 * due yet or a concurrent write won.
 */
export async function flush(
  ctx: Context,
  id: string,
  options: { force?: boolean } = {},
): Promise<void> {
  const entry = await readGroup(ctx, id);
  if (entry === undefined || entry.value.events.length === 0) return;
  const wait = (entry.value.dueAt ?? 0) - Date.now();
  if (wait > 0 && options.force !== true && entry.value.sealed === undefined) {
    throw new RetryLaterError(wait, "the group is not due yet");
  }
  const sealed =
    entry.value.sealed === undefined ? await write(ctx, entry, seal(entry.value)) : entry;
  ctx.failpoint("group-sealed");
  const notification = notificationOf(sealed.value, Date.now());
  if (notification === undefined) return;
  // If it exists already, an earlier attempt of this flush created the same record.
  await ctx.records.create(notificationKey(ctx.cluster, notification.id), notification);
  ctx.failpoint("notification-written");
  const after = await removeSealed(ctx, sealed);
  ctx.failpoint("group-emptied");
  try {
    await ctx.jobs.enqueueDelivery(notification, 0);
  } catch (err) {
    const data = { err, notification: notification.id };
    ctx.logger.warn(data, "delivery job not enqueued, the next resync adds it");
  }
  ctx.failpoint("job-added");
  if (after.value.dueAt !== undefined && options.force !== true) {
    throw new RetryLaterError(
      Math.max(after.value.dueAt - Date.now(), 1),
      "more events joined the group",
    );
  }
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
