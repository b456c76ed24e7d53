import type { Entry, Kv, ListWatch } from "@rollcast/nats/kv";
import { TerminalError } from "@rollcast/shared/errors";
import type { z } from "zod";
import type { CallKind, Gate } from "./gate.ts";
import { enterProcess } from "./gate.ts";

type Stored = { readonly text: string | undefined; readonly revision: number };

/** A write of a record; `value` undefined: removed. */
export type BucketWrite = {
  readonly key: string;
  readonly text: string | undefined;
  readonly revision: number;
};

/** What a watch delivers: a write, or that all that was present was delivered. */
type Delivery = BucketWrite | "listed";

type Watcher = {
  readonly gate: Gate;
  readonly deliver: (delivery: Delivery) => void;
  readonly gap: () => void;
  queue: Delivery[];
};

/** A bucket of NATS in memory: what it holds outlives every process. */
export type Bucket = {
  readonly name: string;
  entries(): ReadonlyMap<string, Stored>;
  /** Delivers what the watches wait for; whether there was anything. */
  deliver(): boolean;
  /** The watches lose what they wait for and are opened again. */
  gap(): void;
  backup(): unknown;
  restore(backup: unknown): void;
  /** Another writer writes a record anew as it is: the next compare-and-set of it loses. */
  touch(key: string): void;
  /** A write of somebody who is no process of the model. */
  put(key: string, value: unknown): void;
  view<T>(gate: Gate, schema: z.ZodType<T>, kinds: { read: CallKind; write: CallKind }): Kv<T>;
};

/**
 * Whether NATS answers, and whether watches are open: after an outage they open later than it
 * answers.
 */
export type Outage = { isOn: boolean; areWatchesClosed: boolean };

export type BucketOptions = {
  readonly name: string;
  readonly outage: Outage;
  readonly onWrite?: (write: BucketWrite) => void;
  /** What a key holds since the bucket was restored. */
  readonly onRestore?: (write: Omit<BucketWrite, "revision">) => void;
};

export function createBucket({ name, outage, onWrite, onRestore }: BucketOptions): Bucket {
  let entries = new Map<string, Stored>();
  let revisions = 0;
  const watchers = new Set<Watcher>();
  const put = (key: string, text: string | undefined): number => {
    const revision = ++revisions;
    const write = { key, text, revision };
    entries.set(key, { text, revision });
    if (!outage.areWatchesClosed) for (const watcher of watchers) watcher.queue.push(write);
    onWrite?.(write);
    return revision;
  };
  const present = (key: string): Stored | undefined => {
    const entry = entries.get(key);
    return entry?.text === undefined ? undefined : entry;
  };
  const gap = () => {
    for (const watcher of watchers) {
      watcher.queue = [];
      enterProcess(watcher.gate, watcher.gap);
    }
  };
  return {
    name,
    entries: () => entries,
    deliver() {
      let some = false;
      if (outage.areWatchesClosed) return some;
      for (const watcher of watchers) {
        if (watcher.gate.isDead()) watchers.delete(watcher);
        const queue = watcher.queue;
        watcher.queue = [];
        for (const write of queue) {
          some = true;
          enterProcess(watcher.gate, () => watcher.deliver(write));
        }
      }
      return some;
    },
    gap,
    backup: () => ({ entries: new Map(entries), revisions }),
    restore(backup) {
      const before = backup as { entries: Map<string, Stored>; revisions: number };
      const keys = new Set([...entries.keys(), ...before.entries.keys()]);
      entries = new Map(before.entries);
      for (const key of keys) onRestore?.({ key, text: entries.get(key)?.text });
      ({ revisions } = before);
      gap();
    },
    touch(key) {
      const entry = present(key);
      if (entry !== undefined) put(key, entry.text);
    },
    put: (key, value) => void put(key, value === undefined ? undefined : JSON.stringify(value)),
    view: (gate, schema, kinds) =>
      viewOf({
        gate,
        schema,
        kinds,
        name,
        present,
        put,
        watchers,
        outage,
        keys: () => [...entries.keys()],
        writes: () =>
          [...entries]
            .map(([key, stored]) => ({ key, ...stored }))
            .toSorted((a, b) => a.revision - b.revision),
      }),
  };
}

type View<T> = {
  readonly gate: Gate;
  readonly schema: z.ZodType<T>;
  readonly kinds: { readonly read: CallKind; readonly write: CallKind };
  readonly name: string;
  readonly present: (key: string) => Stored | undefined;
  readonly put: (key: string, text: string | undefined) => number;
  readonly watchers: Set<Watcher>;
  readonly keys: () => string[];
  /** The newest write of each key, oldest first. */
  readonly writes: () => readonly BucketWrite[];
  readonly outage: Outage;
};

const lost = () => new Error("TIMEOUT");

function viewOf<T>({
  gate,
  schema,
  kinds,
  name,
  present,
  put,
  watchers,
  keys,
  writes,
  outage,
}: View<T>): Kv<T> {
  const parse = (key: string, text: string): T => {
    const parsed = schema.safeParse(JSON.parse(text));
    if (parsed.success) return parsed.data;
    throw new TerminalError("Unreadable", `record ${key} in ${name} cannot be read`);
  };
  const entryOf = (key: string): Entry<T> | undefined => {
    const entry = present(key);
    if (entry?.text === undefined) return undefined;
    return { key, value: parse(key, entry.text), revision: entry.revision };
  };
  const call = <R>(kind: CallKind, what: string, perform: () => R) =>
    gate.enter({
      kind,
      what,
      perform() {
        if (outage.isOn) throw lost();
        return perform();
      },
      lost,
    });
  const write = <R>(key: string, perform: () => R) =>
    call(kinds.write, `write ${name} ${key}`, perform);
  return {
    get: (key) => call(kinds.read, `read ${name} ${key}`, () => entryOf(key)),
    create(key, value) {
      const text = JSON.stringify(value);
      return write(key, () => (present(key) === undefined ? put(key, text) : undefined));
    },
    update(key, value, revision) {
      const text = JSON.stringify(value);
      return write(key, () => (present(key)?.revision === revision ? put(key, text) : undefined));
    },
    remove: (key, revision) =>
      write(key, () => {
        if (present(key)?.revision !== revision) return false;
        put(key, undefined);
        return true;
      }),
    async *snapshot() {
      const listed = await call("other", `list ${name}`, keys);
      for (const key of listed) {
        const entry = entryOf(key);
        if (entry !== undefined) yield entry;
      }
    },
    listAndWatch(options) {
      const watcher = watcherOf(gate, options, { parse, writes });
      watchers.add(watcher);
      // In an outage it is listed when the watches open again.
      const start = () => (outage.areWatchesClosed ? undefined : watcher.gap());
      void gate.enter({ kind: "other", what: `list ${name}`, perform: start, lost });
    },
  };
}

/** Lists what is present with the delay of a delivery, as a subscription does. */
function watcherOf<T>(
  gate: Gate,
  { onStart, onEntry, onSynced }: ListWatch<T>,
  {
    parse,
    writes,
  }: { parse: (key: string, text: string) => T; writes: () => readonly BucketWrite[] },
): Watcher {
  const watcher: Watcher = {
    gate,
    queue: [],
    deliver(write) {
      if (write === "listed") return onSynced();
      const { key, text, revision } = write;
      onEntry(key, text === undefined ? undefined : parse(key, text), revision);
    },
    gap() {
      onStart?.();
      watcher.queue = [...writes(), "listed"];
    },
  };
  return watcher;
}
