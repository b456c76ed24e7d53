import type { ObjectStore } from "../object-store.ts";
import type { Fields, KubeObject } from "../object.ts";
import { conditionOf, isDeleting } from "./parts.ts";
import { withPausedConditions } from "./rollout-conditions.ts";
import { act, contextOf } from "./rollout-context.ts";
import type { Context } from "./rollout-context.ts";
import { hold as holdPatch, isHeld, statusPatch, writeHeld } from "./rollout-held.ts";
import { restartOf } from "./rollout-restart.ts";
import { createActs, foundAct, madeAct, revisionAct } from "./rollout-revision.ts";
import { isScalingEvent, scalingOf } from "./rollout-scale.ts";
import { shown } from "./rollout-phase.ts";
import { afterScalingEvent, isChanged, statusOf } from "./rollout-status.ts";
import { NO_FAULTS } from "./act.ts";
import type { Act, Faults } from "./act.ts";

/** What one sync writes: objects of others, and at last what it patches in the status. */
type Plan = {
  readonly name: string;
  readonly writes: readonly (() => void)[];
  readonly patch: Fields;
};

function planTo(
  context: Context,
  name: string,
  status: Fields,
  writes: readonly (() => void)[] = [],
): Plan {
  return { name, writes, patch: statusPatch(context.rollout.status ?? {}, status) };
}

function rolled(context: Context): Plan {
  if (isChanged(context)) {
    return planTo(context, "begin", statusOf(context, { atRest: false, restarted: false }));
  }
  const restart = restartOf(context);
  if (restart !== undefined && restart.writes.length > 0) {
    return { name: "restart pods", writes: restart.writes, patch: {} };
  }
  const { writes, scaled } = scalingOf(context);
  const restarted = restart?.isDone === true;
  const status = statusOf(context, { atRest: !scaled, restarted });
  return planTo(context, scaled ? "scale" : "status", status, writes);
}

/** The rest of a sync, after `reconcile` of Argo Rollouts (rollout/context.go). */
function planOf(context: Context): Plan {
  if (!isScalingEvent(context)) return rolled(context);
  return planTo(context, "sizes", afterScalingEvent(context), scalingOf(context).writes);
}

/** What it patches before all that where a pause has begun or ended. */
function pausePlan(context: Context): Plan | undefined {
  const { rollout } = context;
  const paused = withPausedConditions(context);
  if (paused === (rollout.status ?? paused)) return undefined;
  return planTo(context, "pause or resume", shown(context, paused));
}

const isEmpty = ({ patch }: Plan) => Object.keys(patch).length === 0;

/** Does what is planned, but for the status, which is kept for later. */
function hold({ store, rollout }: Context, { writes, patch }: Plan): void {
  for (const write of writes) write();
  holdPatch(store, rollout, patch);
}

function actsOf(context: Context, plan: Plan): Act[] {
  const { store, rollout } = context;
  if (isEmpty(plan) && plan.writes.length === 0) return [];
  const run = () => {
    hold(context, plan);
    writeHeld(store, rollout);
  };
  return [act(context, plan.name, run)];
}

function ofRollout(store: ObjectStore, rollout: KubeObject, faults: Faults): Act[] {
  const context = contextOf(store, rollout, faults);
  if (isHeld(store, rollout)) {
    return [act(context, "patch its computed status", () => writeHeld(store, rollout))];
  }
  if (isDeleting(rollout)) return [];
  if (context.newest === undefined) return createActs(context);
  const made = madeAct(context);
  if (made !== undefined) return [made];
  const paused = pausePlan(context);
  if (paused !== undefined) return actsOf(context, paused);
  const first = revisionAct(context) ?? foundAct(context);
  return first === undefined ? actsOf(context, planOf(context)) : [first];
}

/**
 * What is done before the status is patched, where somebody writes the Rollout meanwhile. That its
 * ReplicaSet is new is not said then: the controller gives up what it has not patched, and goes on
 * with what it has in its cache.
 */
export function interruptedActs(store: ObjectStore, rollout: KubeObject): Act[] {
  const context = contextOf(store, rollout, NO_FAULTS);
  if (isHeld(store, rollout) || isDeleting(rollout)) return [];
  if (context.newest === undefined) return createActs(context, true);
  const paused = pausePlan(context);
  const isFound = conditionOf(rollout, "Progressing") !== undefined;
  if (paused === undefined && (!isFound || revisionAct(context) !== undefined)) return [];
  const plan = paused ?? planOf(context);
  if (isEmpty(plan)) return [];
  return [act(context, `${plan.name}, but for its status`, () => hold(context, plan))];
}

/**
 * What Argo's controller may do next, after v1.10.1 (https://github.com/argoproj/argo-rollouts,
 * `rollout/`), which it was compared with: canaries with weights and pauses, aborts, `restartAt`
 * and `workloadRef`; neither blue-green, nor traffic routing, analyses and experiments.
 */
export function acts(store: ObjectStore, faults: Faults = NO_FAULTS): Act[] {
  return store.list("Rollout").flatMap((rollout) => ofRollout(store, rollout, faults));
}
