import { createHash } from "node:crypto";
import type { ChangedKeys, SourceEvent } from "@rollcast/shared/events";
import { stableId } from "@rollcast/shared/events";
import { recordChange } from "@rollcast/shared/records";
import type { SourceRecord } from "@rollcast/shared/records";
import { recordKey } from "@rollcast/shared/subjects";
import type { KubeObject, ObjectStore } from "../cluster/object-store.ts";
import type { Bucket } from "../ports/bucket.ts";
import { CLUSTER } from "./config.ts";

/** The watcher by its contract: a record of each source, and an event of each change. */
export type Watcher = {
  /** Sees what was written since the last call; whether there was anything. */
  deliver(): boolean;
  /** Compares what there is with its records anew, as after a reconnect. */
  relist(): void;
};

export const KEY_ID = "k1";
/** A change seen within this time counts as seen live. */
const LIVE_MS = 2_000;
const SECOND_MS = 999;

export function digestsOf(source: KubeObject): Record<string, string> {
  const data = (source.data ?? {}) as Readonly<Record<string, string>>;
  return Object.fromEntries(
    Object.entries(data).map(([key, value]) => [
      key,
      createHash("sha256").update(value).digest("hex").slice(0, 32),
    ]),
  );
}

/** Which keys differ between the digests of two versions. */
function changedKeys(before: Record<string, string>, after: Record<string, string>): ChangedKeys {
  const added = Object.keys(after).filter((key) => before[key] === undefined);
  const removed = Object.keys(before).filter((key) => after[key] === undefined);
  const changed = Object.keys(after).filter((key) => (before[key] ?? after[key]) !== after[key]);
  return { added, changed, removed };
}

function isEqual(a: object, b: object): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function secondOf(time: number): number {
  return Math.floor(time / 1_000) * 1_000;
}

/** The time of a change as managedFields have it. */
function edit(editedAt: number) {
  return { changedAt: secondOf(editedAt), changedWithin: SECOND_MS };
}

/** How an object was seen: in a list, or by the watch. */
type Origin = "list" | "watch";

function changeTime(editedAt: number, { now, origin }: { now: number; origin: Origin }) {
  if (origin === "watch" && now - editedAt < LIVE_MS) {
    return { changedAt: Math.min(now, secondOf(editedAt) + SECOND_MS), changedWithin: 0 };
  }
  return edit(editedAt);
}

export type WatcherOptions = {
  readonly store: ObjectStore;
  readonly sources: Bucket;
  /** When a version of the cluster was written. */
  readonly writtenAt: (resourceVersion: number) => number;
  readonly emit: (event: SourceEvent) => void;
};

export function createWatcher({ store, sources, writtenAt, emit }: WatcherOptions): Watcher {
  let at = 0;
  let isFirst = true;
  const present = (key: string): SourceRecord | undefined => {
    const text = sources.entries().get(key)?.text;
    return text === undefined ? undefined : (JSON.parse(text) as SourceRecord);
  };
  const gone = (before: SourceRecord | undefined, resourceVersion: string) =>
    before && { ...before, resourceVersion, change: "deleted" as const, deletedAt: store.now() };
  const next = (object: KubeObject, origin: Origin): SourceRecord | undefined => {
    const { metadata } = object;
    const ref = refOf(object);
    const before = present(recordKey(CLUSTER, ref));
    const now = store.now();
    const base = {
      v: 1 as const,
      ...ref,
      uid: metadata.uid,
      resourceVersion: metadata.resourceVersion,
      keyId: KEY_ID,
      digests: digestsOf(object),
      state: "published" as const,
      createdAt: Date.parse(metadata.creationTimestamp),
      annotations: {},
    };
    const editedAt = writtenAt(Number(metadata.resourceVersion));
    if (before === undefined) {
      const edited = secondOf(editedAt) > base.createdAt ? edit(editedAt) : {};
      return { ...base, ...edited, change: isFirst ? "none" : "created" };
    }
    const time = changeTime(editedAt, { now, origin });
    const keys = changedKeys(before.digests, base.digests);
    if (!isEqual(before.digests, base.digests)) {
      const { deletedAt, resourceVersion } = before;
      const tombstone =
        deletedAt === undefined ? {} : { tombstone: { deletedAt, resourceVersion } };
      const earlier = recordChange(before);
      return { ...base, ...time, ...earlier, ...tombstone, change: "changed", changedKeys: keys };
    }
    if (before.deletedAt === undefined) return undefined;
    const { changeCount, changedAt, changedWithin, earlierChanges } = before;
    const times = changedAt === undefined ? {} : { changedAt, changedWithin: changedWithin ?? 0 };
    return { ...base, ...times, changeCount, earlierChanges, change: "created" };
  };
  const write = (record: SourceRecord | undefined) => {
    if (record === undefined) return;
    sources.put(recordKey(CLUSTER, record), record);
    if (record.change !== "none") emit(eventOf(record, store.now()));
  };
  return {
    relist() {
      for (const object of store.list("ConfigMap")) write(next(object, "list"));
      for (const key of sources.entries().keys()) {
        const record = present(key);
        if (record === undefined || record.deletedAt !== undefined) continue;
        if (store.get(record) !== undefined) continue;
        write(gone(record, String(store.events().at(-1)?.resourceVersion)));
      }
      at = store.events().length;
    },
    deliver() {
      const events = store.events();
      let some = false;
      for (; at < events.length; at++) {
        const { type, object } = events[at] as (typeof events)[number];
        if (object.kind !== "ConfigMap") continue;
        some = true;
        const { resourceVersion } = object.metadata;
        if (type === "DELETED")
          write(gone(present(recordKey(CLUSTER, refOf(object))), resourceVersion));
        else write(next(object, "watch"));
      }
      isFirst = false;
      return some;
    },
  };
}

function refOf({ metadata: { namespace = "", name } }: KubeObject) {
  return { kind: "ConfigMap" as const, namespace, name };
}

function eventOf(record: SourceRecord, now: number): SourceEvent {
  const { kind, namespace, name, uid, resourceVersion, change } = record;
  return {
    id: stableId(uid, resourceVersion, change),
    time: new Date(now).toISOString(),
    subject: `${kind}/${namespace}/${name}`,
    type: `dev.rollcast.source.${change}.v1`,
    data: {
      kind,
      namespace,
      name,
      uid,
      resourceVersion,
      changedKeys: { added: [], changed: Object.keys(record.digests), removed: [] },
      reason: change,
    },
  } as unknown as SourceEvent;
}
