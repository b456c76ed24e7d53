import { dig } from "../object.ts";
import type { KubeObject } from "../object.ts";

/**
 * A condition in an object's status,
 * https://github.com/kubernetes/community/blob/master/contributors/devel/sig-architecture/api-conventions.md#typical-status-properties.
 */
export type Condition = {
  readonly type?: string;
  readonly status?: string;
  readonly reason?: string;
  readonly message?: string;
  readonly observedGeneration?: number;
};

/** The object's condition of this type, if it has one. */
export function condition(object: KubeObject, type: string): Condition | undefined {
  const conditions = dig(object, "status", "conditions");
  if (!Array.isArray(conditions)) return undefined;
  return (conditions as (Condition | null)[]).find((entry) => entry?.type === type) ?? undefined;
}

/** Texts in one line, without those that are missing or empty. */
export function sentence(...texts: readonly (string | undefined)[]): string {
  return texts.filter((text) => text !== undefined && text !== "").join(" ");
}
