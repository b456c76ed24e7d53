import { RetryLater } from "@rollcast/shared/errors";
import type { SourceEvent } from "@rollcast/shared/events";
import { sourceKey } from "./content.ts";
import { clock } from "./context.ts";
import type { Context } from "./context.ts";
import { assess } from "./gather.ts";
import type { SourceReads } from "./gather.ts";
import { planned } from "./outcomes.ts";
import { mayRoll } from "./policy.ts";
import type { Turns } from "./turns.ts";
import type { Workload } from "./workload.ts";
import { mapLimit } from "./map-limit.ts";

const AT_ONCE = 32;

/**
 * Handles one event of a source: finds the workloads that use it, decides for each from present state, and gives those that are due a turn in the
 * queue and a `rollout.planned`. The event is only the reason to look.
 */
export async function plan(
  ctx: Context,
  turns: Turns,
  event: SourceEvent,
  request: (workload: Workload) => void,
): Promise<void> {
  const { kind, namespace, name } = event.data;
  const users = ctx.index.usersOf(sourceKey(kind, namespace, name)).filter(mayRoll);
  const reads: SourceReads = new Map();
  await mapLimit(users, AT_ONCE, (workload) =>
    planOne(ctx, turns, { event, workload, reads, request }),
  );
  ctx.logger.debug({ source: event.subject, users: users.length }, "source event handled");
}

type One = {
  event: SourceEvent;
  workload: Workload;
  reads: SourceReads;
  request: (workload: Workload) => void;
};

async function planOne(ctx: Context, turns: Turns, one: One): Promise<void> {
  const { event, workload, reads } = one;
  const { decision, situation } = await assess(ctx, workload, false, reads);
  if (decision.do === "keep") {
    if (decision.changed) one.request(workload);
    return;
  }
  if (turns.fault() !== undefined) throw new RetryLater(1_000, "redis is not connected");
  // Only a patch that was tried can wait for its next try, and before one is tried the record says `pending`.
  const tried = situation.record?.phase === "pending";
  await turns.take(workload, tried).catch((err: unknown) => {
    throw new RetryLater(1_000, "redis did not take the turn", { cause: err });
  });
  if (decision.do === "look-again") return;
  const rollout = decision.do === "roll" ? decision.record.rollout : undefined;
  const cause = rollout?.cause ?? causeOfEvent(event);
  const sources = rollout?.changed ?? 1;
  const outcome = planned(
    decision.record,
    event.id,
    { queue: turns.queue, cause, sources },
    clock(),
  );
  await ctx.publish(outcome);
  ctx.metrics.outcome(outcome);
  const { uid } = situation.workload;
  ctx.logger.info(
    { workload: outcome.data.workload, uid, source: event.subject, decision: decision.do },
    "rollout planned",
  );
}

function causeOfEvent(event: SourceEvent) {
  const { kind, namespace, name, changedKeys, changedBy } = event.data;
  return {
    kind,
    namespace,
    name,
    changedKeys,
    ...(changedBy === undefined ? {} : { changedBy }),
    changedAt: event.time,
  };
}
