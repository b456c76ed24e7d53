import type { ObjectStore, StoredEvent } from "../cluster/object-store.ts";
import type { ControlEntry } from "../../../src/model/control-entry.ts";
import type { OutboxEvent, WorkloadRecord } from "../../../src/model/workload-record.ts";

/** What happened, in order. Times are milliseconds since the epoch. */
export type Entry =
  | { readonly at: number; readonly type: "act"; readonly text: string }
  | { readonly at: number; readonly type: "note"; readonly text: string }
  /** A write in the cluster, and by whom. */
  | {
      readonly at: number;
      readonly type: "object";
      readonly by: string;
      readonly write: StoredEvent;
    }
  /** A duplicate was dropped by the stream, for it had its id. */
  | {
      readonly at: number;
      readonly type: "event";
      readonly event: OutboxEvent;
      readonly duplicate?: boolean;
    }
  | {
      readonly at: number;
      readonly type: "record";
      readonly key: string;
      readonly record: WorkloadRecord | undefined;
    }
  /** What a restore of NATS has brought back; undefined: no record. */
  | {
      readonly at: number;
      readonly type: "restored record";
      readonly key: string;
      readonly record: WorkloadRecord | undefined;
    }
  /** The limits of the queue. */
  | {
      readonly at: number;
      readonly type: "queue";
      readonly maxRolling: number | undefined;
      readonly haltAfter: number;
      /** Tries of a patch. */
      readonly attempts: number;
    }
  /** A write of what operators set, or of the quota in use. */
  | {
      readonly at: number;
      readonly type: "control";
      readonly key: string;
      readonly entry: ControlEntry | undefined;
    }
  /** The API server refused a write of the restarter. */
  | { readonly at: number; readonly type: "refused"; readonly reason: string; readonly by: string }
  /** A process of the restarter stands still before a call. */
  | { readonly at: number; readonly type: "stopped"; readonly kind: string }
  /** A call of the restarter had no answer. */
  | {
      readonly at: number;
      readonly type: "lost";
      readonly kind: string;
      readonly performed: boolean;
    };

export type History = readonly Entry[];

export type Recorder = {
  readonly entries: Entry[];
  act(text: string): void;
  note(text: string): void;
  add(entry: Entry): void;
  /** Records the writes since the last call as those of `by`. */
  sync(by: string): void;
  /** When a version of the cluster was written. */
  writtenAt(resourceVersion: number): number;
};

export function createRecorder(store: ObjectStore): Recorder {
  const entries: Entry[] = [];
  let at = 0;
  const times = new Map<number, number>();
  const add = (entry: Entry) => void entries.push(entry);
  return {
    entries,
    add,
    writtenAt: (version) => times.get(version) ?? store.now(),
    act: (text) => add({ at: store.now(), type: "act", text }),
    note: (text) => add({ at: store.now(), type: "note", text }),
    sync(by) {
      const events = store.events();
      for (; at < events.length; at++) {
        const write = events[at] as StoredEvent;
        times.set(write.resourceVersion, store.now());
        add({ at: store.now(), type: "object", by, write });
      }
    },
  };
}
