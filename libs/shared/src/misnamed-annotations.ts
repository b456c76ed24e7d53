import { ANNOTATIONS, ANNOTATION_KEYS, annotationNames } from "./annotations.ts";
import type { Renames } from "./annotations.ts";

/** Annotations of Rollcast that Reloader has nothing like. */
const OWN_ALONE = [
  "rollcast.dev/min-interval",
  "rollcast.dev/queue",
  "rollcast.dev/effect",
  "rollcast.dev/cronjob",
  "rollcast.dev/notify",
];

/** What Rollcast and Reloader write, and nobody asks for. */
const WRITTEN = [
  "rollcast.dev/config",
  "rollcast.dev/rollout",
  "reloader.stakater.com/last-reloaded-from",
  "deployment.reloader.stakater.com/paused-at",
];

/** Nobody else's names end so; other tools of Stakater have domains beside Reloader's. */
const DOMAIN = /(?:^|\.)(?:rollcast\.dev|stakater\.com)\//;
/** Of names in other parts of these domains: more differs in a name of another tool. */
const MAX_EDITS = 3;

/** An annotation that nobody reads, and the one that its author probably meant. */
export type Misnamed = { readonly name: string; readonly nearest: string };

/** How many characters must be put in, taken out or replaced to make `a` of `b` (Levenshtein). */
function editsBetween(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

function hostOf(name: string): string {
  return name.slice(0, name.indexOf("/"));
}

/** A longer name is none of ours with a slip of the pen. */
const MAX_NAME = 80;
/** Enough to see what is wrong; a source's record keeps them. */
const MAX_MISNAMED = 5;
/** So many names are compared: an object may have thousands, and is looked at with each change. */
const MAX_COMPARED = 20;

/**
 * Finds the first five names of an object's annotations that look like ours or Reloader's, have a
 * value, and are none; it looks at no more than 20 that might be.
 */
export function misnamedReader(renames: Renames): (annotations: unknown) => readonly Misnamed[] {
  const read = [...ANNOTATION_KEYS.flatMap((key) => annotationNames(key, renames)), ...OWN_ALONE];
  const right = new Set([...read, ...WRITTEN]);
  // Reloader's own name of one that is renamed is left to it.
  for (const key of ANNOTATION_KEYS) right.add(ANNOTATIONS[key].reloader);
  const hosts = new Set([...right].map(hostOf));
  const nearestTo = (name: string): Misnamed | undefined => {
    const meant = name.replace(/(^|\.)stakater\.com\//, "$1reloader.stakater.com/");
    if (read.includes(meant)) return { name, nearest: meant };
    const lower = name.toLowerCase();
    // A part that was left out is one slip, however long it is.
    const editsTo = (each: string) => (each.includes(lower) ? 1 : editsBetween(lower, each));
    const [first] = read
      .map((nearest) => ({ nearest, edits: editsTo(nearest) }))
      .toSorted((a, b) => a.edits - b.edits);
    if (first === undefined) return undefined;
    const host = hostOf(name);
    const isOurs = hosts.has(host) || host.endsWith(".reloader.stakater.com");
    return isOurs || first.edits <= MAX_EDITS ? { name, nearest: first.nearest } : undefined;
  };
  return (annotations) => {
    if (typeof annotations !== "object" || annotations === null) return [];
    const misnamed: Misnamed[] = [];
    let compared = 0;
    for (const [name, value] of Object.entries(annotations)) {
      if (misnamed.length === MAX_MISNAMED) break;
      if (right.has(name) || name.length > MAX_NAME || !DOMAIN.test(name)) continue;
      if (value === "") continue;
      if (compared === MAX_COMPARED) break;
      compared += 1;
      const entry = nearestTo(name);
      if (entry !== undefined) misnamed.push(entry);
    }
    return misnamed;
  };
}
