import { RetryLater } from "@rollcast/shared/errors";
import { begin } from "./record-started.ts";
import { carryOut } from "./apply.ts";
import type { Carried } from "./apply.ts";
import { clock } from "../clock.ts";
import type { Context } from "../context.ts";
import { decide } from "../decision/decide.ts";
import { assessFresh } from "../reconcile/evaluate.ts";
import type { Assessment } from "../reconcile/evaluate.ts";
import type { Rollout } from "../model/workload-record.ts";
import { commit } from "../reconcile/commit.ts";
import { flush } from "../reconcile/outbox.ts";
import { recreate } from "./recreate.ts";
import { makeAgain } from "./make-again.ts";
import { notCarriedOut } from "./apply-errors.ts";
import type { Attempt, Pending } from "./attempt.ts";
import { remove } from "../reconcile/finalize.ts";
import type { Settled } from "../reconcile/reconcile.ts";
import { patchedRecord } from "../decision/patched.ts";
import { rollSpan, traced } from "./roll-span.ts";
import type { Workload, WorkloadKey } from "../model/workload.ts";

const MAX_LOOKS = 20;

/**
 * Brings one workload to the present content of its sources: reads the record and the sources, decides, and patches at most once. Running it twice,
 * anywhere, at any time, does nothing more. What has become due since it patched is left to a turn of its own, after its window.
 */
export async function roll(ctx: Context, key: WorkloadKey, attempt: Attempt): Promise<Settled> {
  const held: Held = { rollout: undefined, tried: undefined };
  try {
    for (let look = 0; look < MAX_LOOKS; look++) {
      attempt.signal.throwIfAborted();
      const assessment = await assessFresh(ctx, key);
      if (assessment === undefined) {
        const made = await makeAgain(ctx, key, attempt);
        if (made === "none") await remove(ctx, key);
        if (made !== "again") return { roll: false };
        continue;
      }
      ctx.step("record-read");
      const { decision } = assessment;
      if (decision.do === "roll" && isAnother(decision.record.rollout, held)) {
        return { roll: true, since: decision.record.staleSince };
      }
      if (await act(ctx, assessment, attempt, held)) return { roll: false };
    }
    throw new RetryLater(1_000, "the workload changes faster than it can be decided on");
  } finally {
    if (held.rollout !== undefined) await ctx.gates.leave(key, held.rollout);
  }
}

/** `rollout`: a slot was taken for it, and it is in no record yet. `tried`: the id of the one that this turn has begun to carry out. */
type Held = { rollout: Rollout | undefined; tried: string | undefined };

function isAnother(rollout: Rollout, { tried }: Held): boolean {
  return tried !== undefined && rollout.id !== tried;
}

/** Takes a slot for the rollout that was decided; where there is none, the decision is to wait. */
async function withSlot(ctx: Context, assessment: Assessment, held: Held): Promise<Assessment> {
  const { decision, situation } = assessment;
  if (decision.do !== "roll") return assessment;
  const { rollout } = decision.record;
  if (await ctx.gates.take(situation.workload, rollout)) {
    if (rollout.slot === true) ctx.step("slot-taken");
    if (decision.changed && rollout.slot === true) held.rollout = rollout;
    return assessment;
  }
  const gates = { ...situation.gates, slot: "full" as const };
  return { ...assessment, decision: decide({ ...situation, gates }) };
}

/** Whether the decision was carried out; false: somebody was faster, look again. */
async function act(
  ctx: Context,
  assessed: Assessment,
  attempt: Attempt,
  held: Held,
): Promise<boolean> {
  const assessment = await withSlot(ctx, assessed, held);
  if (assessment.decision.do === "look-again") return false;
  if (assessment.decision.do !== "roll") return carryOn(ctx, assessment, attempt, held);
  const span = rollSpan(assessment, attempt);
  return ctx.tracer.span("roll", span, () => carryOn(ctx, traced(assessment), attempt, held));
}

/** Writes what was decided, and patches where it is to be rolled. */
async function carryOn(
  ctx: Context,
  assessment: Assessment,
  attempt: Attempt,
  held: Held,
): Promise<boolean> {
  const { decision, situation, entry } = assessment;
  if (decision.do === "look-again") return false;
  let written = entry;
  if (decision.changed) {
    written = await commit(ctx, entry, decision.record);
    if (written === undefined) return false;
    if (decision.do === "roll") held.rollout = undefined;
  }
  if (written === undefined) return true;
  if (decision.do !== "roll") return (await flush(ctx, written)) !== undefined;
  ctx.step("pending-written");
  held.tried = decision.record.rollout.id;
  return patch(ctx, situation.workload, written as Pending, attempt);
}

async function patch(
  ctx: Context,
  workload: Workload,
  pending: Pending,
  attempt: Attempt,
): Promise<boolean> {
  const kind = ctx.kinds.get(workload.kind);
  if (kind === undefined) return true;
  if (workload.rollBy === "recreate") return recreate(ctx, workload, pending, attempt);
  const began = clock();
  let carried: Carried | undefined;
  ctx.patching.count++;
  try {
    const patching = { kind: "client" } as const;
    carried = await ctx.tracer.span("patch", patching, () =>
      carryOut(ctx, kind, workload, pending.value),
    );
  } catch (err) {
    return notCarriedOut(ctx, workload, pending, attempt, err);
  } finally {
    ctx.patching.count--;
    ctx.metrics.patchSeconds.observe((clock() - began) / 1_000);
  }
  if (carried === undefined) return false;
  const { workload: patched, rollout } = carried;
  ctx.step("patched");
  const at = { ...ctx, workload: patched, now: clock() };
  const next = patchedRecord(at, pending.value, rollout, patched.generation);
  return begin(ctx, pending, next, patched);
}
