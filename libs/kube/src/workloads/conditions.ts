import { dig } from "../object.ts";
import type { KubeObject } from "../object.ts";

/**
 * A condition in an object's status,
 * https://github.com/kubernetes/community/blob/master/contributors/devel/sig-architecture/api-conventions.md#typical-status-properties.
 */
export type Condition = {
  readonly type: string | undefined;
  readonly status: string | undefined;
  readonly reason: string | undefined;
  readonly message: string | undefined;
  /** When its controller wrote it, as it is written: with each write, else with each new status. */
  readonly time: string | undefined;
  readonly observedGeneration: number | undefined;
};

/** A field as its controller should write it; the schema of a custom resource may take anything. */
function field<T>(entry: unknown, name: string, isOfType: (value: unknown) => value is T) {
  const value = dig(entry, name);
  return isOfType(value) ? value : undefined;
}

const isText = (value: unknown) => typeof value === "string";
const isNumber = (value: unknown) => typeof value === "number";

function read(entry: unknown): Condition {
  return {
    type: field(entry, "type", isText),
    status: field(entry, "status", isText),
    reason: field(entry, "reason", isText),
    message: field(entry, "message", isText),
    time: field(entry, "lastUpdateTime", isText) ?? field(entry, "lastTransitionTime", isText),
    observedGeneration: field(entry, "observedGeneration", isNumber),
  };
}

function entriesOf(object: KubeObject): readonly unknown[] {
  const conditions = dig(object, "status", "conditions");
  return Array.isArray(conditions) ? conditions : [];
}

/** Tells one write of a condition from another. */
export function conditionId(written: Pick<Condition, "message" | "time"> | undefined): string {
  return `${written?.time ?? ""} ${written?.message ?? ""}`;
}

/** The object's conditions, without the fields that are of another type than they should be. */
export function conditionsOf(object: KubeObject): Condition[] {
  return entriesOf(object).map(read);
}

/** The object's condition of this type, if it has one. */
export function condition(object: KubeObject, type: string): Condition | undefined {
  const entry = entriesOf(object).find((each) => dig(each, "type") === type);
  return entry === undefined ? undefined : read(entry);
}

/**
 * What the API server said of pods that it refused, for a quota or a policy: the message of a true
 * `ReplicaFailure`, which Deployments, DeploymentConfigs and Argo Rollouts have.
 */
export function refusedReplicas(object: KubeObject): string | undefined {
  const refused = condition(object, "ReplicaFailure");
  return refused?.status === "True" ? refused.message : undefined;
}

/** Texts in one line, without those that are missing or empty. */
export function sentence(...texts: readonly (string | undefined)[]): string {
  return texts.filter((text) => text !== undefined && text !== "").join(" ");
}
