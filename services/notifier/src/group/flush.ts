import { put } from "@rollcast/nats/modify";
import { RetryLaterError } from "@rollcast/shared/errors";
import type { Context } from "../context.ts";
import { notificationOf, seal } from "./group.ts";
import type { GroupRecord } from "../model/group-record.ts";
import { notificationKey } from "../model/record-keys.ts";
import type { GroupEntry } from "./group-store.ts";
import { removeSealed, readGroup } from "./group-store.ts";

const CONFLICT_MS = 200;

async function write(ctx: Context, before: GroupEntry, value: GroupRecord): Promise<GroupEntry> {
  const written = await put(ctx.records, before.key, value, before);
  if (written === undefined)
    throw new RetryLaterError(CONFLICT_MS, "the group was changed concurrently");
  return written;
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
