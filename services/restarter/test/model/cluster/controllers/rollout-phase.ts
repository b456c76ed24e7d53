import { parseTime } from "@rollcast/kube/object";
import type { Fields } from "../object.ts";
import { omitEmpty } from "./parts.ts";
import { isPromoted } from "./rollout-conditions.ts";
import { isPausedByOwner, wanted } from "./rollout-context.ts";
import type { Context } from "./rollout-context.ts";

const FAILURES = new Set(["RolloutAborted", "ProgressDeadlineExceeded"]);

const count = (status: Fields, name: string) => Number(status[name] ?? 0);

/** After `CalculateRolloutPhase` of Argo Rollouts (utils/rollout/rolloututil.go). */
function phaseOf(context: Context, status: Fields): Fields {
  const { spec } = context.rollout;
  const conditions = (status.conditions ?? []) as readonly Fields[];
  const failure = conditions.find(({ reason }) => FAILURES.has(String(reason)));
  if (failure !== undefined) return { phase: "Degraded", message: failure.reason };
  if (isPausedByOwner(context)) return { phase: "Paused", message: "manually paused" };
  const [pause] = (status.pauseConditions ?? []) as readonly Fields[];
  if (pause !== undefined) return { phase: "Paused", message: pause.reason };
  const at = spec?.restartAt as string | undefined;
  const isRestarting = parseTime(at) !== parseTime(status.restartedAt as string | undefined);
  const updated = count(status, "updatedReplicas");
  const isDone =
    (at === undefined || !isRestarting) &&
    updated >= wanted(context) &&
    count(status, "availableReplicas") >= updated &&
    count(status, "replicas") <= updated &&
    isPromoted(status);
  return isDone ? { phase: "Healthy" } : { phase: "Progressing", message: "more replicas" };
}

/** The status with its phase, without what is empty in it. */
export function withPhase(context: Context, status: Fields): Fields {
  const { message: _, ...rest } = status;
  return omitEmpty({ ...rest, ...phaseOf(context, rest) }, ["currentStepIndex"]);
}

/** The status of which only conditions have changed. */
export function shown(context: Context, status: Fields): Fields {
  const observedGeneration = String(context.rollout.metadata.generation);
  return withPhase(context, { ...status, observedGeneration });
}
