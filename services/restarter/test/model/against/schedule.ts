import { FAILS, NEVER_READY } from "@rollcast/testkit/kwok";
import type { Draft, Fields } from "../cluster/object.ts";

export const KINDS = ["Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob"] as const;

/** On what a schedule's pods may be, where nodes die in it. */
export const NODES = ["a", "b"] as const;
export type NodeName = (typeof NODES)[number];

/** Rollouts are compared apart, beside Argo's own controller. */
export type Kind = (typeof KINDS)[number] | "Rollout";

/** A write of somebody who uses the cluster. */
export type Write =
  | { readonly do: "scale"; readonly replicas: number }
  | { readonly do: "template"; readonly version: number }
  | { readonly do: "stuck"; readonly on: boolean }
  | { readonly do: "paused"; readonly on: boolean }
  | { readonly do: "partition"; readonly at: number }
  | { readonly do: "suspend"; readonly on: boolean }
  | { readonly do: "annotate"; readonly value: number }
  /** A Job by hand; whether its pods fail. */
  | { readonly do: "run"; readonly fails?: boolean }
  /** Ends a pause, as `kubectl argo rollouts promote` does. */
  | { readonly do: "promote" }
  | { readonly do: "delete pod"; readonly which: number }
  /** How many pods the namespace may have; null for any number. */
  | { readonly do: "quota"; readonly pods: number | null }
  | { readonly do: "node"; readonly node: NodeName; readonly state: "dead" | "back" }
  | { readonly do: "make again" };

/**
 * When it is written: right after the one before, a moment later, or when nothing moves any more.
 */
export type Moment = "at once" | "soon" | "at rest";

export type Schedule = {
  readonly kind: Kind;
  readonly spec: Fields;
  /** Whether the pods of a Job fail. */
  readonly fails?: boolean;
  /** Nodes that may die; none where the pods are on one that nobody mentions. */
  readonly nodes?: readonly NodeName[];
  /** Whether pods are evicted within seconds of the death of their node, not after five minutes. */
  readonly evicts?: boolean;
  readonly writes: readonly { readonly when: Moment; readonly write: Write }[];
};

export const NAME = "web";
const LABELS = { app: NAME };

export const API_VERSION: Readonly<Record<Kind, string>> = {
  Deployment: "apps/v1",
  StatefulSet: "apps/v1",
  DaemonSet: "apps/v1",
  Job: "batch/v1",
  CronJob: "batch/v1",
  Rollout: "argoproj.io/v1alpha1",
};

/** The label of the nodes that a schedule has for itself. */
export const ZONE = "topology.kubernetes.io/zone";

const EVICTED_AFTER_SECONDS = 2;

/** Whether pods of this workload or this spec leave a dead node within seconds. */
export function isEvictedSoon(spec: unknown): boolean {
  return JSON.stringify(spec).includes(`"tolerationSeconds":${EVICTED_AFTER_SECONDS}`);
}

const TOLERATION = {
  key: "node.kubernetes.io/unreachable",
  operator: "Exists",
  effect: "NoExecute",
  tolerationSeconds: EVICTED_AFTER_SECONDS,
};

function template(kind: Kind, fails = false, placement: Fields = {}): Fields {
  const container = { name: "app", image: "example/app:1" };
  const annotations = { version: "0", ...(fails ? { [FAILS]: "true" } : {}) };
  const ends = kind === "Job" || kind === "CronJob";
  return {
    metadata: { labels: LABELS, annotations },
    spec: { containers: [container], ...(ends ? { restartPolicy: "Never" } : {}), ...placement },
  };
}

function placementOf({ nodes, evicts }: Schedule, namespace: string): Fields {
  if (nodes === undefined) return {};
  const tolerations = evicts === true ? { tolerations: [TOLERATION] } : {};
  return { nodeSelector: { [ZONE]: namespace }, ...tolerations };
}

/** The workload as its owner creates it. */
export function workloadOf(schedule: Schedule, namespace: string): Draft {
  const { kind, spec, fails } = schedule;
  const isJob = kind === "Job" || kind === "CronJob";
  const own = isJob ? {} : { selector: { matchLabels: LABELS } };
  const body =
    kind === "CronJob"
      ? { schedule: "0 0 1 1 *", jobTemplate: { spec: { template: template(kind) } } }
      : { ...own, template: template(kind, fails, placementOf(schedule, namespace)) };
  return {
    apiVersion: API_VERSION[kind],
    kind,
    metadata: { name: NAME, namespace, labels: LABELS },
    spec: { ...body, ...spec },
  };
}

/** The quota of pods in the namespace. */
export function quotaOf(namespace: string, pods: number): Draft {
  return {
    apiVersion: "v1",
    kind: "ResourceQuota",
    metadata: { name: "pods", namespace },
    spec: { hard: { pods: String(pods) } },
  };
}

/** A Job as `kubectl create job --from` makes it. */
export function manualJob(
  owner: { readonly uid: string; readonly namespace: string },
  { count, fails = false }: { readonly count: number; readonly fails?: boolean },
): Draft {
  const { uid, namespace } = owner;
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: {
      name: `${NAME}-manual-${count}`,
      namespace,
      ownerReferences: [
        { apiVersion: "batch/v1", kind: "CronJob", name: NAME, uid, controller: true },
      ],
    },
    spec: { ...(fails ? { backoffLimit: 0 } : {}), template: template("Job", fails) },
  };
}

function annotation(kind: Kind, name: string, value: string | null): Fields {
  const change = { template: { metadata: { annotations: { [name]: value } } } };
  return { spec: kind === "CronJob" ? { jobTemplate: { spec: change } } : change };
}

/** The merge patch of a write of the workload; undefined for the others. */
export function patchOf(kind: Kind, write: Write): Fields | undefined {
  switch (write.do) {
    case "scale":
      return { spec: { replicas: write.replicas } };
    case "template":
      return annotation(kind, "version", String(write.version));
    case "stuck":
      return annotation(kind, NEVER_READY, write.on ? "true" : null);
    case "paused":
      return { spec: { paused: write.on } };
    case "partition":
      return { spec: { updateStrategy: { rollingUpdate: { partition: write.at } } } };
    case "suspend":
      return { spec: { suspend: write.on } };
    case "annotate":
      return { metadata: { annotations: { note: String(write.value) } } };
    default:
      return undefined;
  }
}

function describe(write: Write): string {
  const { do: name, ...values } = write;
  const text = Object.values(values).map(String).join(" ");
  return text === "" ? name : `${name} ${text}`;
}

/** A schedule for people to read, a line for each write. */
export function scheduleText(schedule: Schedule): string {
  const { kind, spec, fails, nodes, evicts, writes } = schedule;
  const lines = writes.map(({ when, write }, i) => `  ${i + 1}. ${when}: ${describe(write)}`);
  const pods = fails === true ? ", whose pods fail" : "";
  const places = nodes === undefined ? "" : `, on ${nodes.join(" and ")}`;
  const leaving = evicts === true ? `, evicted after ${EVICTED_AFTER_SECONDS} s` : "";
  return [`${kind} ${JSON.stringify(spec)}${pods}${places}${leaving}`, ...lines].join("\n");
}
