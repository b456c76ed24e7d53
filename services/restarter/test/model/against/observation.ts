import { dig } from "@rollcast/kube/object";
import type { Fields } from "../cluster/object.ts";

/** What Rollcast sees of a workload, or that it is gone. */
export type Observation = string;

export const GONE: Observation = "gone";

type Seen = {
  readonly kind?: string | undefined;
  readonly metadata: { readonly generation?: number | undefined };
  readonly [field: string]: unknown;
};

const COUNTS: Readonly<Record<string, readonly string[]>> = {
  Deployment: [
    "observedGeneration",
    "replicas",
    "updatedReplicas",
    "readyReplicas",
    "availableReplicas",
    "unavailableReplicas",
  ],
  StatefulSet: [
    "observedGeneration",
    "replicas",
    "updatedReplicas",
    "readyReplicas",
    "availableReplicas",
  ],
  DaemonSet: [
    "observedGeneration",
    "desiredNumberScheduled",
    "currentNumberScheduled",
    "updatedNumberScheduled",
    "numberReady",
    "numberAvailable",
    "numberUnavailable",
    "numberMisscheduled",
  ],
  Rollout: [
    "observedGeneration",
    "replicas",
    "updatedReplicas",
    "readyReplicas",
    "availableReplicas",
    "currentStepIndex",
  ],
  Job: ["active", "ready", "succeeded", "failed"],
  CronJob: [],
};

function conditions(status: unknown): string[] {
  const all = dig(status, "conditions");
  if (!Array.isArray(all)) return [];
  return (all as Fields[])
    .map(
      ({ type, status: value, reason }) =>
        `${String(type)}=${String(value)}/${String(reason ?? "")}`,
    )
    .toSorted();
}

function more(kind: string, status: unknown): string[] {
  if (kind === "StatefulSet") {
    const current = dig(status, "currentRevision");
    if (current === undefined) return [];
    return [
      current === dig(status, "updateRevision") ? "at its update revision" : "at an old revision",
    ];
  }
  if (kind === "CronJob") {
    const active = dig(status, "active");
    return [
      `active=${Array.isArray(active) ? active.length : 0}`,
      ...(dig(status, "lastSuccessfulTime") === undefined ? [] : ["succeeded before"]),
    ];
  }
  if (kind === "Rollout") {
    const pauses = dig(status, "pauseConditions");
    const isStable = dig(status, "stableRS") === dig(status, "currentPodHash");
    return [
      String(dig(status, "phase") ?? "no phase"),
      isStable ? "at its stable template" : "at another template",
      `pauses=${Array.isArray(pauses) ? pauses.length : 0}`,
      ...(dig(status, "controllerPause") === true ? ["paused by its controller"] : []),
    ];
  }
  if (kind !== "Job") return [];
  return ["startTime", "completionTime"].filter((name) => dig(status, name) !== undefined);
}

/** A workload as text: generation and status, without times, names and uids. */
export function observe(kind: string, object: Seen | undefined): Observation {
  if (object === undefined) return GONE;
  const { status } = object;
  const counts = (COUNTS[kind] ?? []).map((name) => `${name}=${Number(dig(status, name) ?? 0)}`);
  const parts = [
    `generation=${object.metadata.generation ?? 0}`,
    ...counts,
    ...more(kind, status),
    ...conditions(status),
  ];
  return parts.join(" ");
}

type Owned = {
  readonly metadata: {
    readonly uid?: string | undefined;
    readonly name?: string | undefined;
    readonly annotations?: Readonly<Record<string, string>> | undefined;
    readonly ownerReferences?: unknown;
    readonly deletionTimestamp?: unknown;
  };
  readonly [field: string]: unknown;
};

/** The content of a pod or a template, as its annotations say. */
export function contentOf(annotations: unknown): string {
  const all = (annotations ?? {}) as Record<string, string>;
  return Object.keys(all)
    .filter((name) => name === "version" || name.startsWith("test.rollcast.dev/"))
    .toSorted()
    .map((name) => `${name}=${all[name]}`)
    .join(",");
}

function isReady(object: Owned): boolean {
  const all = dig(object, "status", "conditions");
  return (
    Array.isArray(all) &&
    (all as Fields[]).some(({ type, status }) => type === "Ready" && status === "True")
  );
}

/** The last part of a node's name: those before it are of the namespace that it is for. */
const shortName = ({ metadata }: Owned) => String(metadata.name).split("-").at(-1);

/** One of which nothing is said yet is new. */
const isUp = (node: Owned) => dig(node, "status", "conditions") === undefined || isReady(node);

function isOfDaemonSet({ metadata }: Owned): boolean {
  const owners = (metadata.ownerReferences ?? []) as readonly Fields[];
  return owners.some(({ kind }) => kind === "DaemonSet");
}

/**
 * Where a pod is matters where it can do nothing: on a node that is not ready. A DaemonSet's pod is
 * for its node from the start, whether or not the scheduler has bound it before the taint.
 */
function podText(pod: Owned, nodes: readonly Owned[]): string {
  const phase = String(dig(pod, "status", "phase") ?? "Pending");
  const shown = phase === "Running" && isReady(pod) ? "Ready" : phase;
  const node = nodes.find(({ metadata }) => metadata.name === dig(pod, "spec", "nodeName"));
  const isAnywhere = phase === "Pending" && isOfDaemonSet(pod);
  const place = node === undefined || isUp(node) || isAnywhere ? "" : ` on ${shortName(node)}`;
  const end = pod.metadata.deletionTimestamp === undefined ? "" : ", terminating";
  return `pod ${contentOf(pod.metadata.annotations)} ${shown}${place}${end}`;
}

function nodeText(node: Owned): string {
  return `node ${shortName(node)} ${isUp(node) ? "Ready" : "NotReady"}`;
}

function replicaSetText(object: Owned): string {
  const annotations = dig(object, "spec", "template", "metadata", "annotations");
  const counts = [dig(object, "spec", "replicas"), dig(object, "status", "availableReplicas")];
  return `ReplicaSet ${contentOf(annotations)} ${counts.map((count) => Number(count ?? 0)).join("/")}`;
}

/** What a namespace has come to, as lines in a fixed order. */
export function finalText(
  kind: string,
  objects: {
    readonly workload: Seen | undefined;
    readonly pods: readonly Owned[];
    readonly replicaSets: readonly Owned[];
    readonly nodes: readonly Owned[];
  },
): string {
  return [
    observe(kind, objects.workload),
    ...objects.replicaSets.map(replicaSetText).toSorted(),
    ...objects.pods.map((pod) => podText(pod, objects.nodes)).toSorted(),
    ...objects.nodes.map(nodeText).toSorted(),
  ].join("\n");
}
