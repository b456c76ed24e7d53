import type { ChangedKeys } from "@rollcast/shared/events";

const MAX_KEY_NAMES = 100;

type Digests = Readonly<Record<string, string>>;

/** Names of the keys that differ, sorted, at most 100 in the three lists together. */
export function changedKeys(before: Digests, after: Digests): ChangedKeys {
  const added: string[] = [];
  const changed: string[] = [];
  const removed: string[] = [];
  for (const key of Object.keys(after).sort()) {
    if (!Object.hasOwn(before, key)) added.push(key);
    else if (before[key] !== after[key]) changed.push(key);
  }
  for (const key of Object.keys(before).sort()) {
    if (!Object.hasOwn(after, key)) removed.push(key);
  }
  const total = added.length + changed.length + removed.length;
  let room = MAX_KEY_NAMES;
  const cut = (names: string[]) => {
    const taken = names.slice(0, room);
    room -= taken.length;
    return taken;
  };
  const kept = { changed: cut(changed), added: cut(added), removed: cut(removed) };
  return { ...kept, more: total > MAX_KEY_NAMES ? total - MAX_KEY_NAMES : undefined };
}

export function sameEntries(a: Digests, b: Digests): boolean {
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  return keys.every((key) => Object.hasOwn(b, key) && a[key] === b[key]);
}
