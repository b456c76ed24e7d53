import type { StoredEvent } from "../cluster/object-store.ts";
import type { KubeObject } from "../cluster/object.ts";

export type Pod = {
  readonly name: string;
  /** Of the workload. */
  readonly owner: string;
  readonly from: number;
  /** When it began to end. */
  readonly until: number;
  /** The content that it was made with, by source. */
  readonly content: ReadonlyMap<string, string>;
};

/** The source without which no pod starts; the others are optional. */
export const REQUIRED = "ConfigMap/cfg";

function isEnding({ metadata, status }: KubeObject): boolean {
  return (
    metadata.deletionTimestamp !== undefined ||
    ["Failed", "Succeeded"].includes(String(status?.phase))
  );
}

/** The pods of a history, while it is read. */
export function createPods() {
  /** Of what makes pods for a workload. */
  const owners = new Map<string, string>();
  /** Who has made a pod, or adopted it. */
  const makers = new Map<string, string>();
  const pods = new Map<string, Pod>();
  /** As they were with a workload that let them go. */
  const left: Pod[] = [];
  const moveTo = (owner: string, uid: string, i: number) => {
    const pod = pods.get(uid);
    if (pod === undefined || pod.owner === owner) return;
    left.push({ ...pod, until: Math.min(i, pod.until) });
    pods.set(uid, { ...pod, owner });
  };
  return {
    /** A ReplicaSet or a Job is written. */
    own(i: number, { metadata }: KubeObject): void {
      const owner = metadata.ownerReferences?.[0]?.uid ?? "";
      const before = owners.get(metadata.uid);
      owners.set(metadata.uid, owner);
      if (before === undefined || before === owner) return;
      for (const [uid, maker] of makers) if (maker === metadata.uid) moveTo(owner, uid, i);
    },
    /** A pod is written while there is this content. */
    write(i: number, { object, type }: StoredEvent, present: ReadonlyMap<string, string>): void {
      const { metadata, status } = object;
      const { name, uid } = metadata;
      const maker = metadata.ownerReferences?.[0]?.uid ?? "";
      const owner = owners.get(maker) ?? maker;
      const until = type === "DELETED" || isEnding(object) ? i : Number.POSITIVE_INFINITY;
      if (!pods.has(uid)) pods.set(uid, { name, owner, from: i, until, content: new Map(present) });
      else if (makers.get(uid) !== maker) moveTo(owner, uid, i);
      makers.set(uid, maker);
      const pod = pods.get(uid) as Pod;
      if (until < pod.until) pods.set(uid, { ...pod, until });
      else if (status?.phase === "Running" && !pod.content.has(REQUIRED)) {
        // It has waited for that, and starts with what is there now.
        pods.set(uid, { ...pod, content: new Map(present) });
      }
    },
    /** In the order in which they were made. */
    all: (): Pod[] => [...left, ...pods.values()].toSorted((a, b) => a.from - b.from),
  };
}
