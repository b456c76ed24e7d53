import { consume } from "@rollcast/nats/consume";
import type { Consuming } from "@rollcast/nats/consume";
import type { Nats } from "@rollcast/nats/connect";
import { inSpan } from "@rollcast/runtime/trace";
import type { Metrics } from "@rollcast/runtime/metrics";
import { RolloutEvent } from "@rollcast/shared/events";
import type { Context } from "../context.ts";
import { routeSpan, tracer } from "../events/spans.ts";
import { createJoiner } from "./joiner.ts";

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

/** Consumes the events of rollouts and joins each to its groups, until disposal. */
export async function startEventConsumer(
  ctx: Context,
  nats: Nats,
  metrics: Metrics,
): Promise<Consuming> {
  const join = createJoiner(ctx);
  const route = async (event: RolloutEvent) => {
    const { memberships, refused } = ctx.route(event);
    if (refused.length > 0) {
      const data = { workload: event.data.workload, refused };
      ctx.logger.warn(data, "ignoring receivers in the annotation of a workload");
    }
    await Promise.all(memberships.map((membership) => join(event, membership)));
    ctx.failpoint("event-joined");
  };
  const consumer = await consume(nats, {
    durable: `notifier-${ctx.cluster}`,
    filter: `rollcast.v1.${ctx.cluster}.rollout.>`,
    schema: RolloutEvent,
    concurrency: CONCURRENCY,
    from: { lastMs: FIRST_START_MS },
    handle: (event) => inSpan(tracer, "route", routeSpan(event), () => route(event)),
  });
  metrics.gauge("rollcast_consumer_pending", "Events that wait to be routed", [], async (gauge) => {
    if (nats.fault() === undefined) gauge.set(await consumer.pending());
  });
  return consumer;
}
