import { dig, parseTime } from "@rollcast/kube/object";
import type { ObjectStore } from "../object-store.ts";
import type { KubeObject } from "../object.ts";
import { dueAfter } from "./cronjob.ts";
import { conditionOf, isReady, specNumber } from "./parts.ts";

const SECOND = 1_000;

function readyTimes(store: ObjectStore): number[] {
  const workloads = ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Rollout"];
  const waits = new Set(
    workloads
      .flatMap((kind) => store.list(kind))
      .map((object) => specNumber(object, "minReadySeconds", 0) * SECOND)
      .filter((wait) => wait > 0),
  );
  const since = store
    .list("Pod")
    .filter(isReady)
    .map((pod) => parseTime(String(conditionOf(pod, "Ready")?.lastTransitionTime)) ?? 0);
  return [...waits].flatMap((wait) => since.map((time) => time + wait + 1));
}

function deadline(object: KubeObject): number[] {
  if (object.kind === "Job") {
    const seconds = specNumber(object, "activeDeadlineSeconds", 0);
    const started = parseTime(object.status?.startTime as string | undefined);
    return seconds === 0 || started === undefined ? [] : [started + seconds * SECOND];
  }
  const progressing = parseTime(conditionOf(object, "Progressing")?.lastUpdateTime as string);
  const seconds = specNumber(object, "progressDeadlineSeconds", 0);
  return progressing === undefined ? [] : [progressing + seconds * SECOND + 1];
}

/** A canary's pause that ends by itself, the deadline of its progress, and what is to restart. */
function ofRollout(rollout: KubeObject): number[] {
  const steps = dig(rollout.spec, "strategy", "canary", "steps");
  const index = Number(rollout.status?.currentStepIndex ?? 0);
  const step: unknown = Array.isArray(steps) ? steps[index] : undefined;
  const duration = dig(step, "pause", "duration");
  const [pause] = (rollout.status?.pauseConditions ?? []) as readonly unknown[];
  const started = parseTime(dig(pause, "startTime") as string | undefined);
  const progressing = parseTime(conditionOf(rollout, "Progressing")?.lastUpdateTime as string);
  const seconds = specNumber(rollout, "progressDeadlineSeconds", 600);
  const at = parseTime(rollout.spec?.restartAt as string | undefined);
  return [
    ...(started === undefined || duration === undefined
      ? []
      : [started + Number(duration) * SECOND + 1]),
    ...(progressing === undefined ? [] : [progressing + seconds * SECOND + 1]),
    ...(at === undefined ? [] : [at]),
  ];
}

/**
 * When something may be enabled by the clock alone, or undefined: the first such time after now.
 */
export function nextTime(store: ObjectStore): number | undefined {
  const times = [
    ...readyTimes(store),
    ...["Deployment", "Job"].flatMap((kind) => store.list(kind)).flatMap(deadline),
    ...store.list("Rollout").flatMap(ofRollout),
    ...store.list("CronJob").flatMap((cronJob) => dueAfter(cronJob, store.now())),
  ].filter((time) => time > store.now());
  return times.length === 0 ? undefined : Math.min(...times);
}
