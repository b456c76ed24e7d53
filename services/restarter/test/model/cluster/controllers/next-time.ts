import { parseTime } from "@rollcast/kube/object";
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

/**
 * When something may be enabled by the clock alone, or undefined: the first such time after now.
 */
export function nextTime(store: ObjectStore): number | undefined {
  const times = [
    ...readyTimes(store),
    ...["Deployment", "Job"].flatMap((kind) => store.list(kind)).flatMap(deadline),
    ...store.list("Rollout").map(({ spec }) => parseTime(spec?.restartAt as string) ?? 0),
    ...store.list("CronJob").flatMap((cronJob) => dueAfter(cronJob, store.now())),
  ].filter((time) => time > store.now());
  return times.length === 0 ? undefined : Math.min(...times);
}
