import { dig } from "@rollcast/kube/object";
import { recordKey } from "@rollcast/shared/subjects";
import type { OutboxEvent, Rollout, WorkloadRecord } from "../../../src/model/workload-record.ts";
import { MARKER } from "../../../src/model/content.ts";
import { RESTORED } from "../acts/act.ts";
import type { KubeObject } from "../cluster/object-store.ts";
import type { OwnerReference } from "../cluster/object.ts";
import { CLUSTER, NAMESPACE } from "../world/config.ts";
import { digestOf } from "./digest.ts";
import type { Entry, History } from "../world/history.ts";
import { createPods } from "./pods.ts";
import type { Pod } from "./pods.ts";

/** Whether NATS was restored at this entry. */
export function isRestore(entry: Entry): boolean {
  return entry.type === "act" && entry.text.startsWith(RESTORED);
}

/** What the history says, by its places in it. */
export type Facts = {
  readonly history: History;
  /** The first event of each id. */
  readonly events: readonly { readonly i: number; readonly event: OutboxEvent }[];
  /** Writes of workloads. */
  readonly writes: readonly WorkloadWrite[];
  /** Changes of content; undefined: the source is gone. */
  readonly changes: readonly Change[];
  /** Writes of Jobs that a CronJob owns. */
  readonly jobs: readonly JobWrite[];
  readonly pods: readonly Pod[];
  /** The rollouts of the records, as they were written last. */
  readonly rollouts: ReadonlyMap<string, { readonly i: number; readonly rollout: Rollout }>;
  /** The records at the end, by their keys. */
  readonly records: ReadonlyMap<string, WorkloadRecord>;
  /** The workload at the end; of several the first. */
  readonly workload: KubeObject | undefined;
  /** The limits of the queue. */
  readonly queue: Extract<Entry, { type: "queue" }> | undefined;
};

export type WorkloadWrite = {
  readonly i: number;
  readonly at: number;
  readonly by: string;
  readonly object: KubeObject;
  readonly before: KubeObject | undefined;
  /** On its template; of a Rollout whose pods are restarted the time of that. */
  readonly marker: string | undefined;
  readonly markerChanged: boolean;
  /** Whether its pod template changed, apart from the marker. */
  readonly templateChanged: boolean;
  /** The pod template without the marker. */
  readonly template: string;
  readonly deleted: boolean;
};

type JobWrite = { readonly i: number; readonly job: KubeObject };

export type Change = {
  readonly i: number;
  readonly at: number;
  readonly source: string;
  readonly digest: string | undefined;
};

const KINDS = new Set([
  "Deployment",
  "StatefulSet",
  "DaemonSet",
  "Rollout",
  "CronJob",
  "Job",
  "CloneSet",
]);

type ObjectEntry = Extract<Entry, { type: "object" }>;

type Template = { readonly metadata?: { readonly annotations?: Record<string, string> } };

export function templateOf(object: KubeObject | undefined): {
  marker: string | undefined;
  rest: string;
} {
  const jobTemplate = dig(object?.spec, "jobTemplate", "spec", "template");
  const template = (object?.spec?.template ?? jobTemplate ?? {}) as Template;
  const { [MARKER]: written, ...annotations } = template.metadata?.annotations ?? {};
  const restartAt = object?.spec?.restartAt;
  const marker = typeof restartAt === "string" ? restartAt : written;
  const rest = { ...template, metadata: { ...template.metadata, annotations } };
  return { marker, rest: JSON.stringify(rest) };
}

function writeOf(
  i: number,
  { at, by, write }: ObjectEntry,
  before: KubeObject | undefined,
): WorkloadWrite {
  const then = templateOf(before);
  const now = templateOf(write.object);
  return {
    i,
    at,
    by,
    object: write.object,
    before,
    marker: now.marker,
    markerChanged: then.marker !== now.marker,
    templateChanged: then.rest !== now.rest,
    template: now.rest,
    deleted: write.type === "DELETED",
  };
}

/** The controller of an object, as far as it has one. */
function controllerOf({ metadata }: KubeObject): OwnerReference | undefined {
  return metadata.ownerReferences?.find(({ controller }) => controller === true);
}

function isWorkload(object: KubeObject): boolean {
  return KINDS.has(object.kind) && controllerOf(object) === undefined;
}

/** The Job that the restarter has run from a CronJob, as its write of the CronJob. */
function runOf(i: number, { at, by, write }: ObjectEntry, cronJob: KubeObject): WorkloadWrite {
  const run = writeOf(i, { at, by, type: "object", write }, undefined);
  return { ...run, object: cronJob, before: cronJob, templateChanged: false };
}

function otherEntry({ at }: Entry): Entry {
  return { at, type: "note", text: "another workload" };
}

/** The workloads that a history is about, as `<kind>/<name>`. */
export function workloadsOf(history: History): string[] {
  const names = history.flatMap((entry) => {
    if (entry.type === "event") {
      const { kind, name } = entry.event.data.workload;
      return [`${kind}/${name}`];
    }
    if (entry.type === "record" && entry.record !== undefined) {
      return [`${entry.record.kind}/${entry.record.name}`];
    }
    if (entry.type !== "object" || !isWorkload(entry.write.object)) return [];
    const { kind, metadata } = entry.write.object;
    return [`${kind}/${metadata.name}`];
  });
  return [...new Set(names)];
}

/** Whether an entry is about a workload that is not this one. */
function isOfAnother(entry: Entry, workload: string): boolean {
  const isOther = (kind: string, name: string) => `${kind}/${name}` !== workload;
  if (entry.type === "event") {
    const { kind, name } = entry.event.data.workload;
    return isOther(kind, name);
  }
  if (entry.type === "record" || entry.type === "restored record") {
    const [kind = "", name = ""] = workload.split("/");
    return entry.key !== recordKey(CLUSTER, { kind, namespace: NAMESPACE, name });
  }
  if (entry.type !== "object") return false;
  const { object } = entry.write;
  const owner = controllerOf(object);
  if (object.kind === "Job" && owner !== undefined) return isOther(owner.kind, owner.name);
  return isWorkload(object) && isOther(object.kind, object.metadata.name);
}

/**
 * Reads a history; with a workload (`<kind>/<name>`) as if there were no other, with the same
 * places.
 */
export function factsOf(whole: History, subject?: string): Facts {
  const history = whole.map((entry) =>
    subject !== undefined && isOfAnother(entry, subject) ? otherEntry(entry) : entry,
  );
  const events = new Map<string, { i: number; event: OutboxEvent }>();
  const writes: WorkloadWrite[] = [];
  const changes: Change[] = [];
  const jobs: JobWrite[] = [];
  const pods = createPods();
  const rollouts = new Map<string, { i: number; rollout: Rollout }>();
  const records = new Map<string, WorkloadRecord>();
  const workloads = new Map<string, KubeObject>();
  /** Those that are gone too, as they were. */
  const lastKnown = new Map<string, KubeObject>();
  const present = new Map<string, string>();
  const onObject = (i: number, entry: ObjectEntry) => {
    const { object, type } = entry.write;
    const { kind, metadata } = object;
    const key = `${kind}/${metadata.name}`;
    if (isWorkload(object)) {
      writes.push(writeOf(i, entry, workloads.get(key)));
      lastKnown.set(metadata.uid, object);
      if (type === "DELETED") workloads.delete(key);
      else workloads.set(key, object);
    } else if (kind === "ReplicaSet") pods.own(i, object);
    else if (kind === "Job") {
      pods.own(i, object);
      jobs.push({ i, job: object });
      const cronJob = lastKnown.get(controllerOf(object)?.uid ?? "");
      if (type === "ADDED" && entry.by === "rollcast" && cronJob !== undefined)
        writes.push(runOf(i, entry, cronJob));
    } else if (kind === "ConfigMap") {
      const digest = type === "DELETED" ? undefined : digestOf(object);
      if (digest === present.get(key)) return;
      if (digest === undefined) present.delete(key);
      else present.set(key, digest);
      changes.push({ i, at: entry.at, source: key, digest });
    } else if (kind === "Pod") pods.write(i, entry.write, present);
  };
  for (const [i, entry] of history.entries()) {
    if (entry.type === "object") onObject(i, entry);
    else if (entry.type === "event" && !events.has(entry.event.id)) {
      events.set(entry.event.id, { i, event: entry.event });
    } else if (entry.type === "record" || entry.type === "restored record") {
      if (entry.record === undefined) records.delete(entry.key);
      else records.set(entry.key, entry.record);
      const rollout = entry.record?.rollout;
      if (entry.type === "record" && rollout !== undefined)
        rollouts.set(rollout.id, { i, rollout });
    }
  }
  const [workload] = workloads.values();
  return {
    queue: history.find((entry) => entry.type === "queue"),
    history,
    events: [...events.values()],
    writes,
    changes,
    jobs,
    pods: pods.all(),
    rollouts,
    records,
    workload,
  };
}

/** The pods of a workload that ran at a place in the history and were not ending. */
export function podsAt({ pods }: Facts, uid: string, i: number): Pod[] {
  return pods.filter(({ owner, from, until }) => owner === uid && from <= i && i < until);
}

/** The `<kind>/<name>` of a source's key: as histories name it. */
export function shortName(key: string): string {
  const [kind, , name] = key.split("/");
  return `${kind}/${name}`;
}

/** Whether the restarter wrote its marker: a patch, or the Job that it ran. */
export function isPatch({ by, markerChanged }: WorkloadWrite): boolean {
  return by === "rollcast" && markerChanged;
}

/** The workload at a place in the history, before what happened there. */
export function workloadAt({ writes }: Facts, uid: string, i: number): KubeObject | undefined {
  return writes.findLast((write) => write.i < i && write.object.metadata.uid === uid)?.object;
}

/** The present content at a place in the history. */
export function contentAt({ changes }: Facts, i: number): Map<string, string> {
  const content = new Map<string, string>();
  for (const { source, digest } of changes.filter((change) => change.i <= i)) {
    if (digest === undefined) content.delete(source);
    else content.set(source, digest);
  }
  return content;
}
