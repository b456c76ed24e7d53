import { cutText } from "@rollcast/shared/cut";
import { dig } from "../object.ts";
import type { KubeObject } from "../object.ts";
import { condition } from "./conditions.ts";

/** So many pods are described; the rest of them are counted. */
const MAX_DESCRIBED = 3;
const MAX_TEXT = 200;

type Waiting = { readonly reason?: unknown; readonly message?: unknown };
type ContainerStatus = { readonly state?: { readonly waiting?: Waiting } };

function containersOf(pod: KubeObject): ContainerStatus[] {
  const lists = ["initContainerStatuses", "containerStatuses"].map((name) =>
    dig(pod, "status", name),
  );
  return lists.flatMap((list) => (Array.isArray(list) ? (list as ContainerStatus[]) : []));
}

/** Evicted or run to its end: it stays listed, and is none of those that should run. */
function isOver(pod: KubeObject): boolean {
  return ["Failed", "Succeeded"].includes(String(dig(pod, "status", "phase")));
}

function isReady(pod: KubeObject): boolean {
  return condition(pod, "Ready")?.status === "True" && pod.metadata.deletionTimestamp === undefined;
}

function text(...parts: readonly unknown[]): string {
  const words = parts.filter((part) => typeof part === "string" && part !== "");
  return cutText(words.join(": "), MAX_TEXT);
}

/** `Pending` containers that are just being made say nothing. */
const USUAL = new Set<unknown>(["ContainerCreating", "PodInitializing"]);

/** What the cluster says of a pod that is not ready, in its own words. */
function sayingOf(pod: KubeObject): string {
  const scheduled = condition(pod, "PodScheduled");
  if (scheduled?.status === "False") return text(scheduled.reason, scheduled.message);
  const waiting = containersOf(pod)
    .map(({ state }) => state?.waiting)
    .find((state) => state !== undefined && !USUAL.has(state.reason));
  return waiting === undefined ? "" : text(waiting.reason, waiting.message);
}

/**
 * A StatefulSet replaces its pods in order, and none past one that is not ready, also where that is
 * of an earlier revision:
 * https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#forced-rollback.
 */
function isBlocking(workload: KubeObject, pod: KubeObject): boolean {
  const revision = dig(workload, "status", "updateRevision");
  const own = pod.metadata.labels?.["controller-revision-hash"];
  const isOrdered = dig(workload, "spec", "podManagementPolicy") !== "Parallel";
  return workload.kind === "StatefulSet" && isOrdered && own !== undefined && own !== revision;
}

const CURE = "it is of an earlier revision, and no pod is replaced past it: delete it";

const NODE_CURE = "if that node is gone, delete its Node object";

/** A pod that is not ready, and what the cluster says of it. */
type StuckPod = { readonly pod: KubeObject; readonly saying: string };

/** Those of which the cluster says something come first, each by their names. */
function compareStuck(a: StuckPod, b: StuckPod): number {
  const bySaying = Number(b.saying !== "") - Number(a.saying !== "");
  return bySaying || a.pod.metadata.name.localeCompare(b.pod.metadata.name);
}

/** `db-1 is not ready: ImagePullBackOff: Back-off pulling image "app:2"`. */
function describePod(workload: KubeObject, { pod, saying }: StuckPod): string {
  const { name, deletionTimestamp } = pod.metadata;
  if (deletionTimestamp !== undefined) {
    const node = dig(pod, "spec", "nodeName");
    // One that no node has taken waits for a finalizer.
    if (typeof node !== "string") return `${name} is being deleted`;
    return `${name} is being deleted, which ${node} has not confirmed; ${NODE_CURE}`;
  }
  const why = saying === "" ? "" : `: ${saying}`;
  return `${name} is not ready${why}${isBlocking(workload, pod) ? `; ${CURE}` : ""}`;
}

/** What keeps a workload's pods from being ready, in sentences; undefined where all are. */
export function describeStuck(
  workload: KubeObject,
  pods: readonly KubeObject[],
): string | undefined {
  const stuck = pods
    .filter((pod) => !isReady(pod) && !isOver(pod))
    .map((pod) => ({ pod, saying: sayingOf(pod) }))
    .toSorted(compareStuck);
  if (stuck.length === 0) return undefined;
  const described = stuck.slice(0, MAX_DESCRIBED).map((each) => describePod(workload, each));
  const more = stuck.length - described.length;
  return `${described.join(". ")}${more > 0 ? `. And ${more} more pods are not ready` : ""}`;
}
