import { digNumber } from "../object.ts";
import type { KubeObject } from "../object.ts";

/**
 * The greatest 32-bit integer stands for none,
 * https://github.com/kubernetes/kubernetes/blob/v1.36.3/pkg/controller/deployment/util/deployment_util.go
 * (HasProgressDeadline).
 */
const NONE = 2_147_483_647;

/** `spec.progressDeadlineSeconds` in milliseconds, by default 10 minutes; undefined: none. */
export function progressDeadlineMs(object: KubeObject): number | undefined {
  const seconds = digNumber(object, 600, "spec", "progressDeadlineSeconds");
  return seconds === NONE ? undefined : seconds * 1_000;
}
