import { cutNames } from "@rollcast/shared/cut";
import { dig } from "../object.ts";
import type { KubeObject, ObjectMeta } from "../object.ts";
import type { RolloutStatus } from "./kind.ts";

const MAX_NAMED = 20;

/** Names in one sentence's part, the rest of a long list as a number: `web-0, web-1 and 3 more`. */
export function nameSome(names: readonly string[]): string {
  return cutNames(names, MAX_NAMED);
}

/** How many pods wait, in the words of an event: `2 of 3 pods keep the old template ...`. */
function leftMessage(left: number, all: number): string {
  return `${left} of ${all} pods keep the old template until their owner deletes them`;
}

/**
 * A rollout whose pods are replaced when their owner deletes them is done when its controller has
 * seen it; `left` of `all` pods are old.
 */
export function onDeleteStatus(all: number, left: number): RolloutStatus {
  if (left <= 0) return { state: "complete" };
  return { state: "complete", reason: "OnDelete", message: leftMessage(left, all) };
}

/**
 * Which pods keep the old template, out of all pods of a workload, by the annotation that its
 * newest template has. Their owner has done with those that are on their way out.
 */
export function nameLeft(
  pods: readonly ObjectMeta[],
  annotation: { readonly name: string; readonly value: string },
): string {
  const staying = pods.filter((pod) => pod.deletionTimestamp === undefined);
  const left = staying.filter((pod) => pod.annotations?.[annotation.name] !== annotation.value);
  if (left.length === 0) return "no pod keeps the old template";
  const names = left.map((pod) => pod.name).toSorted();
  return `${leftMessage(left.length, staying.length)}: ${nameSome(names)}`;
}

type Requirement = {
  readonly key?: unknown;
  readonly operator?: unknown;
  readonly values?: unknown;
};

const OPERATORS: ReadonlyMap<unknown, (key: string, values: string) => string> = new Map([
  ["In", (key: string, values: string) => `${key} in (${values})`],
  ["NotIn", (key: string, values: string) => `${key} notin (${values})`],
  ["Exists", (key: string) => key],
  ["DoesNotExist", (key: string) => `!${key}`],
]);

function requirement({ key, operator, values }: Requirement): string[] {
  const write = OPERATORS.get(operator);
  if (typeof key !== "string" || write === undefined) return [];
  return [write(key, Array.isArray(values) ? values.join(",") : "")];
}

function textEntries(value: unknown): [string, string][] {
  const entries = Object.entries((value ?? {}) as Record<string, unknown>);
  return entries.filter((entry): entry is [string, string] => typeof entry[1] === "string");
}

/**
 * `spec.selector` of a workload in the form that a list of pods takes, whether it is a
 * LabelSelector or, as that of a DeploymentConfig, the labels themselves; undefined where it
 * selects nothing.
 */
export function podSelector(object: KubeObject): string | undefined {
  const selector = dig(object, "spec", "selector");
  const labels = [...textEntries(dig(selector, "matchLabels")), ...textEntries(selector)];
  const expressions = dig(selector, "matchExpressions");
  const parts = [
    ...labels.map(([key, value]) => `${key}=${value}`),
    ...(Array.isArray(expressions) ? (expressions as Requirement[]).flatMap(requirement) : []),
  ];
  return parts.length === 0 ? undefined : parts.join(",");
}

/** Whether pods get a new template only when their owner deletes them. */
export function isOnDelete(object: KubeObject): boolean {
  return dig(object, "spec", "updateStrategy", "type") === "OnDelete";
}

/** The selector of all pods where some may wait for their owner, as `WorkloadKind.leftPods`. */
export function leftPods(object: KubeObject): string | undefined {
  return isOnDelete(object) ? podSelector(object) : undefined;
}
