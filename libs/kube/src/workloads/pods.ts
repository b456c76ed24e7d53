import { dig } from "../object.ts";
import type { KubeObject, ObjectMeta } from "../object.ts";
import type { LeftPods, RolloutStatus } from "./kind.ts";

const MAX_NAMED = 20;

/** Names in one sentence's part, the rest of a long list as a number: `web-0, web-1 and 3 more`. */
export function nameSome(names: readonly string[]): string {
  const shown = names.slice(0, MAX_NAMED).join(", ");
  return names.length > MAX_NAMED ? `${shown} and ${names.length - MAX_NAMED} more` : shown;
}

/**
 * A rollout whose pods are replaced when their owner deletes them is done when its controller has
 * seen it; `left` of `all` pods are old.
 */
export function onDeleteStatus(all: number, left: number): RolloutStatus {
  if (left <= 0) return { state: "complete" };
  const message = `${left} of ${all} pods keep the old template until their owner deletes them`;
  return { state: "complete", reason: "OnDelete", message };
}

const REVISION = "controller-revision-hash";

/**
 * Names of the pods that are left, out of all pods of a workload; empty where it is not known
 * which ones they are. A DaemonSet's status does not name its newest revision: there the one that
 * as many pods have as are left is the old one.
 */
export function namesOfLeft(pods: readonly ObjectMeta[], left: LeftPods): string[] {
  const names = (some: readonly ObjectMeta[]) => some.map((pod) => pod.name).toSorted();
  if (left.revision !== undefined) {
    return names(pods.filter((pod) => pod.labels?.[REVISION] !== left.revision));
  }
  if (pods.length === left.count) return names(pods);
  const byRevision = Map.groupBy(pods, (pod) => pod.labels?.[REVISION]);
  const fitting = [...byRevision.values()].filter((group) => group.length === left.count);
  const [only] = fitting;
  return fitting.length === 1 && only !== undefined ? names(only) : [];
}

type Requirement = {
  readonly key?: unknown;
  readonly operator?: unknown;
  readonly values?: unknown;
};

const OPERATORS: Readonly<Record<string, (key: string, values: string) => string>> = {
  In: (key, values) => `${key} in (${values})`,
  NotIn: (key, values) => `${key} notin (${values})`,
  Exists: (key) => key,
  DoesNotExist: (key) => `!${key}`,
};

function requirement({ key, operator, values }: Requirement): string[] {
  const write = OPERATORS[String(operator)];
  if (typeof key !== "string" || write === undefined) return [];
  return [write(key, Array.isArray(values) ? values.join(",") : "")];
}

/**
 * `spec.selector` of a workload in the form that a list of pods takes; undefined where it selects
 * nothing.
 */
export function podSelector(object: KubeObject): string | undefined {
  const labels = dig(object, "spec", "selector", "matchLabels");
  const expressions = dig(object, "spec", "selector", "matchExpressions");
  const parts = [
    ...Object.entries((labels ?? {}) as Record<string, string>).map(([key, v]) => `${key}=${v}`),
    ...(Array.isArray(expressions) ? (expressions as Requirement[]).flatMap(requirement) : []),
  ];
  return parts.length === 0 ? undefined : parts.join(",");
}
