import { put } from "@rollcast/nats/modify";
import { RetryLaterError } from "@rollcast/shared/errors";
import type { RolloutEvent } from "@rollcast/shared/events";
import type { Context } from "../context.ts";
import { flush } from "./flush.ts";
import { readGroup } from "./group-store.ts";
import { groupId, join } from "./group.ts";
import type { Membership } from "../route/router.ts";
import { groupKey } from "../model/record-keys.ts";

type Waiter = {
  readonly event: RolloutEvent;
  readonly done: PromiseWithResolvers<void>;
};
type Pending = { readonly membership: Membership; waiters: Waiter[] };

const MAX_CONFLICTS = 20;

/**
 * Adds events to the records of their groups. Events of one group that arrive together are written
 * together: a rollout of 500 workloads takes a few writes instead of 500 that compete for one
 * record.
 */
export function createJoiner(ctx: Context): (event: RolloutEvent, to: Membership) => Promise<void> {
  const groups = new Map<string, Pending>();

  const drain = async (id: string, pending: Pending) => {
    while (pending.waiters.length > 0) {
      const waiters = pending.waiters;
      pending.waiters = [];
      try {
        await joinBatch(ctx, id, pending.membership, waiters);
      } catch (err) {
        for (const { done } of waiters) done.reject(err);
      }
    }
    groups.delete(id);
  };
  return (event, membership) => {
    const id = groupId(membership);
    const done = Promise.withResolvers<void>();
    const pending = groups.get(id);
    if (pending !== undefined) pending.waiters.push({ event, done });
    else {
      const created: Pending = { membership, waiters: [{ event, done }] };
      groups.set(id, created);
      drain(id, created).catch((err: unknown) => done.reject(err));
    }
    return done.promise;
  };
}

async function joinBatch(
  ctx: Context,
  id: string,
  membership: Membership,
  waiters: readonly Waiter[],
): Promise<void> {
  const key = groupKey(ctx.cluster, id);
  let rest = waiters;
  for (let conflicts = 0; rest.length > 0;) {
    if (conflicts > MAX_CONFLICTS)
      throw new RetryLaterError(1_000, "too many conflicting writes to the group");
    const before = await readGroup(ctx, id);
    const events = rest.map(({ event }) => event);
    const { record, accepted, changed } = join(before?.value, membership, events, Date.now());
    if (changed) {
      if ((await put(ctx.records, key, record, before)) === undefined) {
        conflicts++;
        continue;
      }
      await enqueueFlush(ctx, id, record.dueAt ?? Date.now());
    }
    for (const { done } of rest.slice(0, accepted)) done.resolve();
    rest = rest.slice(accepted);
    // The group is full: flush it now; the rest starts the next message.
    if (rest.length > 0) await flush(ctx, id, { force: true });
  }
}

async function enqueueFlush(ctx: Context, id: string, dueAt: number): Promise<void> {
  try {
    await ctx.jobs.enqueueFlush(id, Math.max(dueAt - Date.now(), 0));
  } catch (err) {
    ctx.logger.warn({ err, group: id }, "flush job not enqueued, the next resync adds it");
  }
}
