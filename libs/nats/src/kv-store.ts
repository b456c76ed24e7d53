import type { Entry } from "./kv.ts";

/**
 * Called after each change of a record, and for each present one when the bucket is listed anew.
 * `value` undefined: removed; `before`: what was held.
 */
export type KvListener<Held> = (
  key: string,
  value: Held | undefined,
  before: Held | undefined,
) => void;

/** Records in memory by key, each with its revision. */
export type KvStore<Held> = {
  get(key: string): Entry<Held> | undefined;
  list(): Iterable<Entry<Held>>;
  size(): number;
  /** Sets a record as it was written or read; an older one than the held is ignored. */
  set(key: string, value: Held | undefined, revision: number): void;
  /**
   * The bucket is listed anew: what it holds counts, also where it is older. A server that was
   * restored from a backup gives lower revisions.
   */
  startList(): void;
  /** The bucket was listed: what was not set since the start is removed. */
  endList(): void;
  listen(listener: KvListener<Held>): void;
};

/** `value` undefined: removed, and held so that a late older write does not bring it back. */
type Slot<Held> = {
  readonly key: string;
  readonly value: Held | undefined;
  readonly revision: number;
  /** The number of the list during or after which it was set. */
  readonly list: number;
};

function isPresent<Held>(slot: Slot<Held> | undefined): slot is Slot<Held> & Entry<Held> {
  return slot?.value !== undefined;
}

export function createKvStore<Held>(): KvStore<Held> {
  const slots = new Map<string, Slot<Held>>();
  const listeners: KvListener<Held>[] = [];
  let present = 0;
  let list = 0;
  const notify: KvListener<Held> = (key, value, before) => {
    if (before !== undefined) present -= 1;
    if (value !== undefined) present += 1;
    if (value === undefined && before === undefined) return;
    for (const listener of listeners) listener(key, value, before);
  };
  return {
    get(key) {
      const slot = slots.get(key);
      return isPresent(slot) ? slot : undefined;
    },
    *list() {
      for (const slot of slots.values()) if (isPresent(slot)) yield slot;
    },
    size: () => present,
    set(key, value, revision) {
      const before = slots.get(key);
      if (before?.list === list && before.revision >= revision) return;
      slots.set(key, { key, value, revision, list });
      notify(key, value, before?.value);
    },
    startList() {
      list += 1;
    },
    endList() {
      for (const [key, slot] of slots) {
        if (slot.list === list) continue;
        slots.delete(key);
        notify(key, undefined, slot.value);
      }
    },
    listen: (listener) => void listeners.push(listener),
  };
}
