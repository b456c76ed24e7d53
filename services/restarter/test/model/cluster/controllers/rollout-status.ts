import { parseTime } from "@rollcast/kube/object";
import type { Fields } from "../object.ts";
import { timeText } from "../store-state.ts";
import { isPromoted, withConditions } from "./rollout-conditions.ts";
import { withPhase } from "./rollout-phase.ts";
import { available, currentStep, isPausedByOwner, stepsOf, wanted } from "./rollout-context.ts";
import type { Context } from "./rollout-context.ts";
import { isAtWeight } from "./rollout-counts.ts";
import { countIn } from "./rollout-scale.ts";
import { hashOf } from "./parts.ts";

/** The status with what every sync writes last. */
function finished(context: Context, status: Fields, isAborted = false): Fields {
  const { rollout, lender } = context;
  const observed: Fields = {
    ...status,
    observedGeneration: String(rollout.metadata.generation),
    ...(lender === undefined
      ? {}
      : { workloadObservedGeneration: String(lender.metadata.generation) }),
  };
  return withPhase(context, withConditions(context, observed, isAborted));
}

const stepHash = (context: Context) => hashOf(stepsOf(context));

export function isChanged(context: Context): boolean {
  const { status } = context.rollout;
  if (status?.currentStepHash !== stepHash(context)) return true;
  return status.currentPodHash !== undefined && status.currentPodHash !== context.hash;
}

function counted(context: Context): Fields {
  const { all, newest } = context;
  return {
    replicas: countIn(all, "replicas"),
    updatedReplicas: newest === undefined ? 0 : countIn([newest], "replicas"),
    readyReplicas: countIn(all, "readyReplicas"),
    availableReplicas: countIn(all, "availableReplicas"),
  };
}

/** What is left of the status when only sizes are written. */
export function afterScalingEvent(context: Context): Fields {
  const { rollout, all } = context;
  const availableReplicas = countIn(all, "availableReplicas");
  const isAborted = rollout.status?.abort === true;
  return finished(context, { ...rollout.status, availableReplicas }, isAborted);
}

function pausesOf(context: Context, now: { readonly added: boolean; readonly removed: boolean }) {
  const { rollout, store } = context;
  const present = rollout.status?.pauseConditions;
  if (now.added && present === undefined) {
    const pause = { reason: "CanaryPauseStep", startTime: timeText(store.now()) };
    return { controllerPause: true, pauseConditions: [pause] };
  }
  if (present === undefined || now.removed) return {};
  return { controllerPause: rollout.status?.controllerPause, pauseConditions: present };
}

/** Whether the pause at which it stands is over: somebody ended it, or its duration has passed. */
function isPauseOver({ rollout, store, faults }: Context, pause: Fields): boolean {
  if (faults.has("passes-pauses")) return true;
  const [condition] = (rollout.status?.pauseConditions ?? []) as readonly Fields[];
  if (condition === undefined) return rollout.status?.controllerPause === true;
  if (pause.duration === undefined) return false;
  const since = parseTime(String(condition.startTime)) ?? 0;
  return since + Number(pause.duration) * 1_000 < store.now();
}

function isStepDone(context: Context): boolean {
  const { step } = currentStep(context);
  if (isPausedByOwner(context) || step === undefined) return false;
  if (step.pause !== undefined) return isPauseOver(context, step.pause as Fields);
  return step.setWeight !== undefined && isAtWeight(context);
}

function mayPromote(context: Context): boolean {
  const { rollout, newest, stable } = context;
  if (stable === undefined) return true;
  if (rollout.status?.abort === true && !isPromoted(rollout.status)) return false;
  if (newest === undefined || available(newest) < wanted(context)) return false;
  const steps = stepsOf(context).length;
  return (
    rollout.status?.promoteFull === true ||
    stable === newest ||
    steps === 0 ||
    currentStep(context).index === steps
  );
}

/** The status after a sync; `atRest` when nothing was scaled in it: then a pause is looked at. */
export function statusOf(context: Context, done: { atRest: boolean; restarted: boolean }): Fields {
  const { rollout, hash, stable } = context;
  const before = rollout.status ?? {};
  const steps = stepsOf(context).length;
  const stableRS = before.stableRS;
  const restartedAt = done.restarted ? rollout.spec?.restartAt : before.restartedAt;
  const base: Fields = {
    ...counted(context),
    currentPodHash: hash,
    currentStepHash: stepHash(context),
    collisionCount: before.collisionCount,
    conditions: before.conditions,
    stableRS,
    restartedAt,
    promoteFull: before.promoteFull === true && stableRS !== hash ? true : undefined,
  };
  const at = (index: number) => (steps > 0 ? { currentStepIndex: index } : {});
  if (isChanged(context)) {
    const reset = { ...base, promoteFull: undefined, restartedAt: rollout.spec?.restartAt };
    return finished(context, { ...reset, ...at(stableRS === hash ? steps : 0) });
  }
  if (mayPromote(context)) {
    return finished(context, { ...base, promoteFull: undefined, stableRS: hash, ...at(steps) });
  }
  const isAborted = before.abort === true && !isPromoted(before) && before.promoteFull !== true;
  if (isAborted) {
    const aborted = { abort: true, abortedAt: before.abortedAt ?? timeText(context.store.now()) };
    return finished(context, { ...base, ...aborted, ...at(stableRS === hash ? steps : 0) }, true);
  }
  const { index, step } = currentStep(context);
  const isOver = isStepDone(context);
  const isPausing =
    done.atRest && step?.pause !== undefined && !isPausedByOwner(context) && stable !== undefined;
  const added = isPausing && before.controllerPause !== true;
  const pauses = pausesOf(context, { added, removed: isOver });
  const next = before.promoteFull === true ? steps : isOver ? index + 1 : index;
  return finished(context, {
    ...base,
    ...(before.promoteFull === true ? {} : pauses),
    ...at(next),
  });
}
