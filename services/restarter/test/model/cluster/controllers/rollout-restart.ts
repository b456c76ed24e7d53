import { parseTime } from "@rollcast/kube/object";
import { sum } from "./deployment-status.ts";
import type { KubeObject } from "../object.ts";
import { isAvailable, isDeleting, ownedBy, removePod, specNumber } from "./parts.ts";
import { limitsOf, size, wanted } from "./rollout-context.ts";
import type { Context } from "./rollout-context.ts";

export type Restart = {
  /** Which pods go now. */
  readonly writes: readonly (() => void)[];
  /** Whether no pod is left that is older than what is asked for. */
  readonly isDone: boolean;
};

function ordered({ all, newest, stable }: Context): readonly KubeObject[] {
  const first = [stable, newest].filter((replicaSet) => replicaSet !== undefined);
  return [...new Set([...first, ...all])];
}

/** As many pods as may be unavailable, or one, of those older than `spec.restartAt`. */
export function restartOf(context: Context): Restart | undefined {
  const { store, rollout, all } = context;
  const at = parseTime(rollout.spec?.restartAt as string | undefined);
  const done = parseTime(rollout.status?.restartedAt as string | undefined);
  if (at === undefined || at === done || at > store.now()) return undefined;
  const seconds = specNumber(rollout, "minReadySeconds", 0);
  const pods = ordered(context).flatMap((replicaSet) => ownedBy(store, "Pod", replicaSet));
  const available = pods.filter(
    (pod) => isAvailable(pod, seconds, store.now()) && !isDeleting(pod),
  ).length;
  const most = Math.max(limitsOf(context).maxUnavailable, 1);
  const may = available - (Math.max(wanted(context), sum(all, size)) - most);
  const old = pods.filter(({ metadata }) => (parseTime(metadata.creationTimestamp) ?? 0) < at);
  const gone = old.filter((pod) => !isDeleting(pod)).slice(0, Math.max(0, may));
  return {
    writes: gone.map((pod) => () => removePod(store, pod)),
    isDone: gone.length === old.length,
  };
}
