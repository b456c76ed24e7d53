import { isEqual } from "./object.ts";
import type { Draft, Fields, KubeObject } from "./object.ts";

/** How the API server treats a kind. */
export type Kind = {
  readonly resource: string;
  readonly group: string;
  /** Written on its own, and not by a write of the object. */
  readonly status?: true;
  readonly initialStatus?: Fields;
  /** With what the server writes into a new object that depends on its uid. */
  readonly completed?: (object: Draft, uid: string) => Draft;
  /** Whether a write raises `metadata.generation`; kinds without it have none. */
  readonly raisesGeneration?: (before: KubeObject, after: KubeObject) => boolean;
  /** Fields of the spec that may be written after creation; all of them where this is missing. */
  readonly mutable?: (before: KubeObject) => readonly string[];
  /** Fields of the spec that must not be written after creation. */
  readonly immutable?: readonly string[];
  /** Dependents are orphaned where a deletion does not say otherwise. */
  readonly orphansByDefault?: true;
};

const specChanged = (before: KubeObject, after: KubeObject) => !isEqual(before.spec, after.spec);

const apps = (resource: string): Kind => ({
  resource,
  group: "apps",
  status: true,
  raisesGeneration: specChanged,
  immutable: ["selector"],
});

const plain = (resource: string): Kind => ({ resource, group: "" });

/** Everything of a custom resource counts, but for metadata and status. */
function customChanged(before: KubeObject, after: KubeObject): boolean {
  const rest = (object: KubeObject): Fields => ({ ...object, metadata: null, status: null });
  return !isEqual(rest(before), rest(after));
}

function isUnstarted(job: KubeObject): boolean {
  return job.spec?.suspend === true && job.status?.startTime === undefined;
}

const JOB = ["parallelism", "suspend", "activeDeadlineSeconds", "backoffLimit"];

/** A Job selects its pods by its own uid, unless its owner selects them. */
function selectingItsPods(job: Draft, uid: string): Draft {
  const spec = job.spec as Fields;
  if (spec.manualSelector === true) return job;
  const template = (spec.template ?? {}) as Fields;
  const metadata = (template.metadata ?? {}) as Fields;
  const own = {
    "batch.kubernetes.io/controller-uid": uid,
    "batch.kubernetes.io/job-name": job.metadata.name,
    "controller-uid": uid,
    "job-name": job.metadata.name,
  };
  const labels = { ...(metadata.labels as Fields | undefined), ...own };
  const selector = { matchLabels: { "batch.kubernetes.io/controller-uid": uid } };
  const { labels: given = {} } = job.metadata;
  return {
    ...job,
    // A Job without labels gets those of its pods.
    metadata: {
      ...job.metadata,
      labels: Object.keys(given).length === 0 ? (labels as Record<string, string>) : given,
    },
    spec: { ...spec, selector, template: { ...template, metadata: { ...metadata, labels } } },
  };
}

export const KINDS: Readonly<Record<string, Kind>> = {
  Deployment: {
    ...apps("deployments"),
    // Annotations count, for they are copied to the ReplicaSets.
    raisesGeneration: (before, after) =>
      specChanged(before, after) ||
      !isEqual(before.metadata.annotations ?? {}, after.metadata.annotations ?? {}),
  },
  ReplicaSet: apps("replicasets"),
  DaemonSet: apps("daemonsets"),
  StatefulSet: {
    ...apps("statefulsets"),
    mutable: () => [
      "replicas",
      "ordinals",
      "template",
      "updateStrategy",
      "revisionHistoryLimit",
      "persistentVolumeClaimRetentionPolicy",
      "minReadySeconds",
    ],
  },
  ControllerRevision: { resource: "controllerrevisions", group: "apps" },
  Job: {
    resource: "jobs",
    group: "batch",
    status: true,
    raisesGeneration: specChanged,
    mutable: (job) => [
      ...JOB,
      "ttlSecondsAfterFinished",
      ...(isUnstarted(job) ? ["template"] : []),
    ],
    orphansByDefault: true,
    completed: selectingItsPods,
  },
  CronJob: {
    resource: "cronjobs",
    group: "batch",
    status: true,
    raisesGeneration: specChanged,
  },
  Rollout: {
    resource: "rollouts",
    group: "argoproj.io",
    status: true,
    raisesGeneration: customChanged,
  },
  CloneSet: {
    resource: "clonesets",
    group: "apps.kruise.io",
    status: true,
    raisesGeneration: customChanged,
  },
  Pod: {
    ...plain("pods"),
    initialStatus: { phase: "Pending" },
    status: true,
    raisesGeneration: specChanged,
  },
  Node: { ...plain("nodes"), status: true },
  Namespace: { ...plain("namespaces"), status: true },
  ResourceQuota: { ...plain("resourcequotas"), status: true },
  ConfigMap: plain("configmaps"),
  Secret: plain("secrets"),
  // What a controller has computed and not yet written: no client sees it.
  HeldStatus: { resource: "heldstatuses", group: "model" },
  Event: { resource: "events", group: "events.k8s.io" },
};

export function kindOf(kind: string): Kind {
  const definition = KINDS[kind];
  if (definition === undefined) throw new Error(`the model has no kind ${kind}`);
  return definition;
}

/** The first field of the spec that this write changes and must not, or undefined. */
export function forbiddenChange(before: KubeObject, after: KubeObject): string | undefined {
  const { mutable, immutable } = kindOf(before.kind);
  const names = new Set([...Object.keys(before.spec ?? {}), ...Object.keys(after.spec ?? {})]);
  const allowed = mutable?.(before);
  return [...names].find((name) => {
    const may = allowed?.includes(name) ?? immutable?.includes(name) !== true;
    return !may && !isEqual(before.spec?.[name], after.spec?.[name]);
  });
}
