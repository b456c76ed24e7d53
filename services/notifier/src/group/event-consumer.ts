import { consume } from "@rollcast/nats/consume";
import type { Consuming } from "@rollcast/nats/consume";
import { put } from "@rollcast/nats/modify";
import type { Metrics } from "@rollcast/runtime/metrics";
import { SpanKind, inSpan } from "@rollcast/runtime/trace";
import { RetryLaterError, TerminalError } from "@rollcast/shared/errors";
import { RolloutEvent, stableId } from "@rollcast/shared/events";
import { tracer } from "../context.ts";
import type { Context } from "../context.ts";
import type { Membership } from "../route/router.ts";
import { flush, readGroup } from "./flush.ts";
import { groupId, groupKey, join } from "./group.ts";

/**
 * The very first notifier also delivers what happened while the services were starting, but not
 * last week's outcomes.
 */
const FIRST_START_MS = 600_000;

/**
 * Maximum number of events handled at once. Those of one group are written together, so many events
 * cause few writes.
 */
const CONCURRENCY = 128;

const MAX_CONFLICTS = 20;

type Waiter = {
  readonly event: RolloutEvent;
  readonly done: PromiseWithResolvers<void>;
};
type Pending = { readonly membership: Membership; waiters: Waiter[] };

async function enqueueFlush(ctx: Context, id: string, dueAt: number): Promise<void> {
  try {
    await ctx.jobs.enqueueFlush(id, Math.max(dueAt - Date.now(), 0));
  } catch (err) {
    ctx.logger.warn({ err, group: id }, "flush job not enqueued, the next resync adds it");
  }
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
    const { record, accepted, changed } = join(
      before?.value,
      { id, ...membership },
      events,
      Date.now(),
    );
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

/**
 * What a group holds that cannot be read waits for somebody who can, or removes it; what comes
 * after is collected beside it.
 */
async function joinReadable(
  ctx: Context,
  id: string,
  membership: Membership,
  waiters: readonly Waiter[],
): Promise<void> {
  try {
    await joinBatch(ctx, id, membership, waiters);
  } catch (err) {
    if (!(err instanceof TerminalError)) throw err;
    ctx.logger.error({ err, group: id }, "unreadable group, its events are collected anew");
    await joinBatch(ctx, stableId(id, "unreadable"), membership, waiters);
  }
}

/**
 * Adds events to the records of their groups. Events of one group that arrive together are written
 * together: a rollout of 500 workloads takes a few writes instead of 500 that compete for one
 * record.
 */
function createJoiner(ctx: Context): (event: RolloutEvent, to: Membership) => Promise<void> {
  const groups = new Map<string, Pending>();

  const drain = async (id: string, pending: Pending) => {
    while (pending.waiters.length > 0) {
      const waiters = pending.waiters;
      pending.waiters = [];
      try {
        await joinReadable(ctx, id, pending.membership, waiters);
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

/** Consumes the events of rollouts and joins each to its groups, until disposal. */
export async function startEventConsumer(ctx: Context, metrics: Metrics): Promise<Consuming> {
  const joinGroup = createJoiner(ctx);
  const route = async (event: RolloutEvent) => {
    const { memberships, refused } = ctx.registry.route(event);
    if (refused.length > 0) {
      const data = { workload: event.data.workload, refused };
      ctx.logger.warn(data, "ignoring receivers in the annotation of a workload");
    }
    await Promise.all(memberships.map((membership) => joinGroup(event, membership)));
    ctx.failpoint("event-joined");
  };
  const consumer = await consume(ctx.nats, {
    durable: `notifier-${ctx.cluster}`,
    filter: `rollcast.v1.${ctx.cluster}.rollout.>`,
    schema: RolloutEvent,
    concurrency: CONCURRENCY,
    from: { lastMs: FIRST_START_MS },
    handle(event) {
      const span = { kind: SpanKind.CONSUMER, parent: event.traceparent };
      return inSpan(tracer, "route", span, () => route(event));
    },
  });
  metrics.gauge("rollcast_consumer_pending", "Events that wait to be routed", [], async (gauge) => {
    if (ctx.nats.fault() === undefined) gauge.set(await consumer.pending());
  });
  return consumer;
}
