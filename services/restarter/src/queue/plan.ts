import { KubeError } from "@rollcast/kube/client";
import { RetryLaterError, TerminalError } from "@rollcast/shared/errors";
import { SourceEvent } from "@rollcast/shared/events";
import type { Cause } from "@rollcast/shared/events";
import type { SourceRecord } from "@rollcast/shared/records";
import { mapLimit } from "@rollcast/async/map-limit";
import type { Workqueue } from "@rollcast/async/workqueue";
import type { Entry } from "@rollcast/nats/kv";
import type { Nats } from "@rollcast/nats/connect";
import { consume } from "@rollcast/nats/consume";
import type { Consuming } from "@rollcast/nats/consume";
import { inSpan } from "@rollcast/runtime/trace";
import type { Metrics } from "@rollcast/runtime/metrics";
import { sourceKey, splitSourceKey } from "../model/content.ts";
import type { SourceKey } from "../model/content.ts";
import type { Context } from "../context.ts";
import { evaluate, readSource, retryOnConflict } from "../reconcile/evaluate.ts";
import type { SourceReads } from "../reconcile/evaluate.ts";
import { commit } from "../reconcile/reconcile.ts";
import { planned } from "../decision/outcomes.ts";
import { verdict } from "../model/verdict.ts";
import { isGate } from "../decision/blocking-gate.ts";
import { changesOf } from "../model/control-entry.ts";
import type { RolloutQueue, RolloutQueues } from "./rollout-queues.ts";
import { workloadKey } from "../model/workload.ts";
import type { WorkloadRecord } from "../model/workload-record.ts";
import type { Workload, WorkloadKey } from "../model/workload.ts";
import { countOutcome, planSpan, tracer } from "../events/outcome-publisher.ts";

const CONCURRENCY = 32;
/** So many plans are kept that wait for one end. */
const MAX_PLANS = 16;

/**
 * Handles one event of a source: finds the workloads that use it, decides for each from present
 * state, and enqueues a job and publishes `rollout.planned` for those that are due. The event is
 * only a trigger: a workload on which nothing can be decided is left to the reconciler, by
 * `enqueue`, and keeps no other. Throws `TerminalError` where the record of the source cannot be
 * read, and what NATS and Redis are at fault for.
 */
export async function plan(
  ctx: Context,
  queues: RolloutQueues,
  event: SourceEvent,
  enqueue: (workload: Workload) => void,
): Promise<void> {
  const { kind, namespace, name } = event.data;
  ctx.names.add(event.data);
  const write = { version: event.data.resourceVersion, time: Date.parse(event.time) };
  ctx.writeOrder.shown("sources", kind, write);
  const source = sourceKey(kind, namespace, name);
  const all = ctx.index.usersOf(source);
  const users = all.filter((workload) => workload.mayRoll);
  const present = readPresent(ctx, source, all);
  const reads: SourceReads = new Map([[source, present]]);
  // The records of its users are read together with it.
  const planning = mapLimit(users, CONCURRENCY, async (workload) => {
    try {
      const task = { event, workload, reads, enqueue };
      await ctx.workloadLock.run(workloadKey(workload), () =>
        retryOnConflict(() => planOne(ctx, queues, task)),
      );
    } catch (err) {
      // Where its source cannot be read, that is the trouble of all.
      await present;
      if (!(err instanceof TerminalError || err instanceof KubeError)) throw err;
      // Its own trouble, which another delivery of the event would not mend.
      const key = workloadKey(workload);
      ctx.logger.warn({ err, workload: key }, "planning failed, left to the reconciler");
      enqueue(workload);
    }
  });
  const reading = present.catch((err: unknown) => {
    for (const workload of users) enqueue(workload);
    throw err;
  });
  // What was begun ends before the event does, also where its source cannot be read.
  await Promise.allSettled([planning, reading]);
  await Promise.all([planning, reading]);
  ctx.logger.debug({ source: event.subject, users: users.length }, "source event handled");
}

/** Reads the record of a source; what is halted by earlier content of it is no more after that. */
async function readPresent(
  ctx: Context,
  key: SourceKey,
  workloads: readonly Workload[],
): Promise<SourceRecord | undefined> {
  const record = await readSource(ctx, key, new Map());
  for (const change of changesOf(new Map([[key, record]]), [key])) {
    await ctx.admission.moved(change);
  }
  countVerdicts(ctx, key, record, workloads);
  return record;
}

/** Counts and logs the verdict on each workload that uses the source. */
function countVerdicts(
  ctx: Context,
  key: SourceKey,
  record: SourceRecord | undefined,
  workloads: readonly Workload[],
): void {
  const source = splitSourceKey(key);
  for (const workload of workloads) {
    const { roll, check, message } = verdict({ rules: ctx.rules, workload, source, record });
    const { kind, namespace, name } = workload;
    ctx.metrics.verdicts.inc({ check });
    ctx.logger.debug(
      { source, workload: { kind, namespace, name }, roll, check, message },
      "verdict",
    );
  }
}

type PlanTask = {
  event: SourceEvent;
  workload: Workload;
  reads: SourceReads;
  enqueue: (workload: Workload) => void;
};

async function planOne(ctx: Context, queues: RolloutQueues, task: PlanTask): Promise<void> {
  const { event, workload, reads } = task;
  const { decision, input, entry } = await evaluate(ctx, workload, false, reads);
  if (decision.do === "keep") {
    if (decision.changed) task.enqueue(workload);
    return;
  }
  const queue = queues.of(workload);
  const isTried = input.record?.phase === "pending";
  if (decision.do === "requeue") return enqueueJob(queue, workload, isTried);
  // Its record has just been removed.
  if (entry === undefined && ctx.index.get(workloadKey(workload))?.mayRoll !== true) return;
  const rollout = decision.do === "roll" ? decision.record.rollout : undefined;
  const cause = rollout?.cause ?? causeOfEvent(event);
  const { affected, changed: sources = 1 } = rollout ?? {};
  // A rollout blocked by a gate needs no job until the gate opens.
  const isBlocked = decision.do === "wait" && isGate(decision.record.due?.reason ?? "");
  if (!isBlocked) throwIfAway(queue);
  const at = Date.now();
  const about = { queue: queue.queue, cause, sources, affected };
  const plannedEvent = planned(decision.record, event.id, about, at);
  const { failure, planned: before } = entry?.value ?? {};
  const enqueue = () => (isBlocked ? task.enqueue(workload) : enqueueJob(queue, workload, isTried));
  // The event has come again, and what was planned of it was told as failed.
  if (failure?.plans?.includes(plannedEvent.id) === true) return enqueue();
  const ids = [...(before?.ids ?? []), plannedEvent.id].slice(-MAX_PLANS);
  const plan = { at, cause, ids };
  await keepPlan(ctx, entry, decision.record, plan).catch((err: unknown) => {
    // What was read with it may be old too.
    reads.clear();
    throw err;
  });
  await ctx.publish(plannedEvent);
  await enqueue();
  countOutcome(ctx.metrics, plannedEvent);
  const { uid } = input.workload;
  ctx.logger.info(
    { workload: plannedEvent.data.workload, uid, source: event.subject, decision: decision.do },
    "rollout planned",
  );
}

/**
 * Records that a change is about to be published as planned, so that its end is told too where it
 * needs no rollout in the end. Also where one is planned already: its end may be on its way. Throws
 * {@link ConflictError}.
 */
async function keepPlan(
  ctx: Context,
  entry: Entry<WorkloadRecord> | undefined,
  decided: WorkloadRecord,
  plan: NonNullable<WorkloadRecord["planned"]>,
): Promise<void> {
  const record = entry?.value ?? firstRecord(decided);
  await commit(ctx, entry, { ...record, planned: plan });
}

/** The record of a first look, without what it decided: that is decided again when it is due. */
function firstRecord(decided: WorkloadRecord): WorkloadRecord {
  const { rollout: _rollout, due: _due, hold: _hold, ...adopted } = decided;
  return { ...adopted, phase: "current", outbox: [] };
}

function throwIfAway(queue: RolloutQueue): void {
  if (queue.fault() !== undefined) throw new RetryLaterError(1_000, "redis is not connected");
}

/**
 * `tried`: a patch was tried and may wait for its retry. Before that, the record says `pending`.
 */
async function enqueueJob(queue: RolloutQueue, workload: Workload, tried: boolean): Promise<void> {
  throwIfAway(queue);
  await queue.enqueue(workload, tried).catch((err: unknown) => {
    throw new RetryLaterError(1_000, "Redis did not accept the job", { cause: err });
  });
}

function causeOfEvent(event: SourceEvent): Cause {
  const { kind, namespace, name, changedKeys, changedBy } = event.data;
  return {
    kind,
    namespace,
    name,
    changedKeys,
    changedBy,
    changedAt: event.time,
  };
}

const PLAN_CONCURRENCY = 8;

/** Consumes the events of sources and plans each, until disposal. */
export async function startSourceConsumer(
  ctx: Context,
  nats: Nats,
  metrics: Metrics,
  {
    queues,
    workqueue,
  }: { readonly queues: RolloutQueues; readonly workqueue: Workqueue<WorkloadKey> },
): Promise<Consuming> {
  const consuming = await consume(nats, {
    durable: `restarter-${ctx.cluster}`,
    filter: `rollcast.v1.${ctx.cluster}.source.>`,
    schema: SourceEvent,
    concurrency: PLAN_CONCURRENCY,
    handle: (event) =>
      inSpan(tracer, "plan", planSpan(event), () =>
        plan(ctx, queues, event, (workload) => workqueue.enqueue(workloadKey(workload))),
      ),
  });
  metrics.gauge("rollcast_consumer_pending", "Events that wait to be planned", [], async (g) => {
    if (nats.fault() === undefined) g.set(await consuming.pending());
  });
  return consuming;
}
