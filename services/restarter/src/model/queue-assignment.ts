import { DEFAULT_QUEUE } from "@rollcast/shared/config/queues";
import type { Queue, QueueAnnotation } from "@rollcast/shared/config/queues";
import { labelSelector } from "@rollcast/shared/config/selector";
import { annotationFault } from "./annotation-values.ts";
import type { AnnotationFault } from "./annotation-values.ts";
import type { Workload } from "./workload.ts";

type Labels = Readonly<Record<string, string>>;

/** The configuration that queue assignment needs. */
export type QueueCriteria = Pick<
  Workload,
  "kind" | "namespace" | "labels" | "annotations" | "templateAnnotations"
>;

/**
 * The queue of a workload. `refused` is the requested queue it does not get: `unknown` if no such
 * queue exists, `not-allowed` if its namespace may not choose a queue.
 */
export type QueueAssignment = {
  readonly queue: string;
  readonly refused?: { readonly name: string; readonly why: "unknown" | "not-allowed" };
};

export type AssignQueue = (workload: QueueCriteria, namespaceLabels: Labels) => QueueAssignment;

const QUEUE_ANNOTATION = "rollcast.dev/queue";

/** Why a workload is not in the queue that its annotation names; undefined if it is. */
export function queueFault(
  { namespace }: Pick<Workload, "namespace">,
  { queue, refused }: QueueAssignment,
): AnnotationFault | undefined {
  if (refused === undefined) return undefined;
  const problem =
    refused.why === "unknown"
      ? "is no queue"
      : `is no queue that queueAnnotation lets namespace ${namespace} choose`;
  const message = `${problem}: rolled in the queue ${queue}`;
  return annotationFault(QUEUE_ANNOTATION, refused.name, message);
}

type Matches = (workload: QueueCriteria, namespaceLabels: Labels) => boolean;

function matcher({ match }: Pick<Queue, "match">): Matches {
  if (match === undefined) return () => false;
  const namespaces = new Set(match.namespaces);
  const kinds = new Set(match.kinds);
  const ofNamespace = labelSelector(match.namespaceSelector);
  const ofWorkload = labelSelector(match.workloadSelector);
  return (workload, labels) =>
    (namespaces.size === 0 || namespaces.has(workload.namespace)) &&
    (kinds.size === 0 || kinds.has(workload.kind)) &&
    ofNamespace(labels) &&
    ofWorkload(workload.labels);
}

function chooser({ namespaces, namespaceSelector }: QueueAnnotation): Matches {
  const names = new Set<string>(namespaces);
  const selects = namespaceSelector === "" ? () => false : labelSelector(namespaceSelector);
  return ({ namespace }, labels) => names.has("*") || names.has(namespace) || selects(labels);
}

/**
 * Assigns workloads to queues: by annotation if the namespace may choose, else to the first
 * matching queue in configuration order, else to `default`. Pure.
 */
export function createAssignQueue(config: {
  readonly queues: readonly Pick<Queue, "name" | "match">[];
  readonly queueAnnotation: QueueAnnotation;
}): AssignQueue {
  const names = new Set([DEFAULT_QUEUE, ...config.queues.map(({ name }) => name)]);
  const matchers = config.queues.map((queue) => ({ name: queue.name, matches: matcher(queue) }));
  const mayChoose = chooser(config.queueAnnotation);
  return (workload, labels) => {
    const matching = matchers.find(({ matches }) => matches(workload, labels));
    const queue = matching?.name ?? DEFAULT_QUEUE;
    const requested =
      workload.annotations[QUEUE_ANNOTATION] ?? workload.templateAnnotations[QUEUE_ANNOTATION];
    if (requested === undefined) return { queue };
    if (!names.has(requested))
      return { queue: DEFAULT_QUEUE, refused: { name: requested, why: "unknown" } };
    if (mayChoose(workload, labels)) return { queue: requested };
    return requested === queue
      ? { queue }
      : { queue, refused: { name: requested, why: "not-allowed" } };
  };
}

/** Whether any rule depends on namespace labels. */
export function needsNamespaceLabels(config: {
  readonly queues: readonly Pick<Queue, "match">[];
  readonly queueAnnotation: QueueAnnotation;
}): boolean {
  const selectors = config.queues.map(({ match }) => match?.namespaceSelector ?? "");
  return [...selectors, config.queueAnnotation.namespaceSelector].some(
    (selector) => selector !== "",
  );
}
