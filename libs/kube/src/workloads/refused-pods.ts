import { cutText } from "@rollcast/shared/cut";
import { dig } from "../object.ts";
import type { KubeObject } from "../object.ts";

const MAX_TEXT = 300;

/** What a controller of Kubernetes says where the API server refuses a pod of its workload. */
export const REFUSED_POD = "FailedCreate";

/** When an Event of `events.k8s.io/v1` was seen last, in milliseconds since the epoch. */
function lastSeen(event: KubeObject): number {
  const times = [["series", "lastObservedTime"], ["deprecatedLastTimestamp"], ["eventTime"]];
  const texts = times.map((path) => dig(event, ...path)).filter((text) => typeof text === "string");
  return Math.max(0, ...texts.map((text) => Date.parse(text)).filter(Number.isFinite));
}

/** Times of Events may have whole seconds only. */
const SECOND_MS = 1_000;

/** The one that was seen last. */
export function lastRefused(events: readonly KubeObject[]): KubeObject | undefined {
  return events.toSorted((a, b) => lastSeen(b) - lastSeen(a))[0];
}

/**
 * What the API server said of a pod that it refused, as the pod's controller tells it in an Event
 * with the reason `FailedCreate`; undefined where that was seen before `sinceMs` (milliseconds
 * since the epoch), or says nothing. StatefulSets, DaemonSets and Jobs have no condition for that.
 */
export function describeRefused(event: KubeObject, sinceMs: number): string | undefined {
  const note = lastSeen(event) + SECOND_MS > sinceMs ? dig(event, "note") : undefined;
  return typeof note === "string" && note !== "" ? cutText(note, MAX_TEXT) : undefined;
}
