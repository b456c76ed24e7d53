import { dig } from "@rollcast/kube/object";
import { isNotReady } from "../cluster/controllers/node.ts";
import { isDeleting, isReady, phaseOf } from "../cluster/controllers/parts.ts";
import type { Fields } from "../cluster/object.ts";
import type { KubeObject } from "../cluster/object-store.ts";

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

/** The content of a pod or a template, as its annotations say. */
export function contentOf(annotations: unknown): string {
  const all = (annotations ?? {}) as Record<string, string>;
  return Object.keys(all)
    .filter((name) => name === "version" || name.startsWith("test.rollcast.dev/"))
    .toSorted()
    .map((name) => `${name}=${all[name]}`)
    .join(",");
}

/** The last part of a node's name: those before it are of the namespace that it is for. */
const shortName = ({ metadata }: KubeObject) => String(metadata.name).split("-").at(-1);

function isOfDaemonSet({ metadata }: KubeObject): boolean {
  const owners = (metadata.ownerReferences ?? []) as readonly Fields[];
  return owners.some(({ kind }) => kind === "DaemonSet");
}

/**
 * Where a pod is matters where it can do nothing: on a node that is not ready. A DaemonSet's pod is
 * for its node from the start, whether or not the scheduler has bound it before the taint.
 */
function podText(pod: KubeObject, nodes: readonly KubeObject[]): string {
  const phase = phaseOf(pod);
  const shown = isReady(pod) ? "Ready" : phase;
  const node = nodes.find(({ metadata }) => metadata.name === pod.spec?.nodeName);
  const isAnywhere = phase === "Pending" && isOfDaemonSet(pod);
  const place =
    node === undefined || !isNotReady(node) || isAnywhere ? "" : ` on ${shortName(node)}`;
  const end = isDeleting(pod) ? ", terminating" : "";
  return `pod ${contentOf(pod.metadata.annotations)} ${shown}${place}${end}`;
}

function nodeText(node: KubeObject): string {
  return `node ${shortName(node)} ${isNotReady(node) ? "NotReady" : "Ready"}`;
}

function replicaSetText(object: KubeObject): string {
  const annotations = dig(object, "spec", "template", "metadata", "annotations");
  const counts = [dig(object, "spec", "replicas"), dig(object, "status", "availableReplicas")];
  return `ReplicaSet ${contentOf(annotations)} ${counts.map((count) => Number(count ?? 0)).join("/")}`;
}

/** What a namespace has come to, as lines in a fixed order. */
export function finalText(
  kind: string,
  objects: {
    readonly workload: Seen | undefined;
    readonly pods: readonly KubeObject[];
    readonly replicaSets: readonly KubeObject[];
    readonly nodes: readonly KubeObject[];
  },
): string {
  return [
    observe(kind, objects.workload),
    ...objects.replicaSets.map(replicaSetText).toSorted(),
    ...objects.pods.map((pod) => podText(pod, objects.nodes)).toSorted(),
    ...objects.nodes.map(nodeText).toSorted(),
  ].join("\n");
}
