import { DEFAULT_QUEUE } from "@rollcast/shared/config/queues";
import type { Queue, QueueAnnotation } from "@rollcast/shared/config/queues";
import { labelSelector } from "@rollcast/shared/config/selector";
import type { Workload } from "./workload.ts";

type Labels = Readonly<Record<string, string>>;

/** What chooses a queue. */
export type QueueCriteria = Pick<
  Workload,
  "kind" | "namespace" | "labels" | "annotations" | "templateAnnotations"
>;

/**
 * The queue of a workload. `refused` is the name that its annotation asks for and does not get: `unknown` where no queue is called so, `not-allowed` where
 * its namespace may not choose.
 */
export type QueueAssignment = {
  readonly queue: string;
  readonly refused?: { readonly name: string; readonly why: "unknown" | "not-allowed" };
};

export type AssignQueue = (workload: QueueCriteria, namespaceLabels: Labels) => QueueAssignment;

const QUEUE_ANNOTATION = "rollcast.dev/queue";

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
 * How workloads are put into queues: the annotation where its namespace may choose, else the first queue in the order of the configuration that matches,
 * else `default`. Pure.
 */
export function createAssignQueue(config: {
  readonly queues: readonly Pick<Queue, "name" | "match">[];
  readonly queueAnnotation: QueueAnnotation;
}): AssignQueue {
  const names = new Set([DEFAULT_QUEUE, ...config.queues.map(({ name }) => name)]);
  const matchers = config.queues.map((queue) => ({ name: queue.name, matches: matcher(queue) }));
  const mayChoose = chooser(config.queueAnnotation);
  return (workload, labels) => {
    const found = matchers.find(({ matches }) => matches(workload, labels));
    const queue = found?.name ?? DEFAULT_QUEUE;
    const asked =
      workload.annotations[QUEUE_ANNOTATION] ?? workload.templateAnnotations[QUEUE_ANNOTATION];
    if (asked === undefined) return { queue };
    if (!names.has(asked))
      return { queue: DEFAULT_QUEUE, refused: { name: asked, why: "unknown" } };
    if (mayChoose(workload, labels)) return { queue: asked };
    return asked === queue ? { queue } : { queue, refused: { name: asked, why: "not-allowed" } };
  };
}

/** Whether labels of namespaces play a part. */
export function needsNamespaceLabels(config: {
  readonly queues: readonly Pick<Queue, "match">[];
  readonly queueAnnotation: QueueAnnotation;
}): boolean {
  const selectors = config.queues.map(({ match }) => match?.namespaceSelector ?? "");
  return [...selectors, config.queueAnnotation.namespaceSelector].some((one) => one !== "");
}
