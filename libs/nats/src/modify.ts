import type { Entry, Kv } from "./kv.ts";

/**
 * Writes a record over the one that was read, or where there was none; undefined if somebody was
 * faster: read again and decide again.
 */
export async function put<T, Written extends T>(
  kv: Pick<Kv<T>, "create" | "update">,
  key: string,
  value: Written,
  before: Pick<Entry<T>, "revision"> | undefined,
): Promise<Entry<Written> | undefined> {
  const revision =
    before === undefined
      ? await kv.create(key, value)
      : await kv.update(key, value, before.revision);
  return revision === undefined ? undefined : { key, value, revision };
}

/** More lost races than so many replicas make: something writes in a circle. */
const MAX_CONFLICTS = 100;

/** A record as it was written, or, without a value, the revision that was removed. */
export type Modified<T> = Pick<Entry<T>, "key" | "revision"> & { readonly value?: T };

/**
 * Reads a record, changes it and writes it, again and again while somebody else is faster: `change`
 * must have no effects, leaves what is there by returning undefined, and removes it by null. What
 * was done, or undefined where nothing was. Throws what reading and writing throw, and after 100
 * lost races.
 */
export async function modify<T>(
  kv: Pick<Kv<T>, "get" | "create" | "update" | "remove">,
  key: string,
  change: (before: T | undefined) => T | null | undefined,
): Promise<Modified<T> | undefined> {
  for (let conflicts = 0; conflicts < MAX_CONFLICTS; conflicts++) {
    const before = await kv.get(key);
    const value = change(before?.value);
    if (value === undefined || (value === null && before === undefined)) return undefined;
    if (value !== null) {
      const written = await put(kv, key, value, before);
      if (written !== undefined) return written;
    } else if (before !== undefined && (await kv.remove(key, before.revision))) {
      return { key, revision: before.revision };
    }
  }
  throw new Error(`${MAX_CONFLICTS} conflicting writes to the record ${key}`);
}
