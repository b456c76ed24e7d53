import { posix } from "node:path";
import type { Passage } from "./passage.ts";

/** The files of one service on the way of a change, relative to the repository's root. */
export type Way = {
  readonly service: string;
  readonly title: string;
  /** What ran for every change, in order of first use. */
  readonly files: readonly string[];
  /** What ran for some of them: timers, and what runs beside the way. */
  readonly sometimes: readonly string[];
};

/** The rank of a file that no ordered passage has. */
const LAST = Number.MAX_SAFE_INTEGER;

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor((numbers.length - 1) / 2)] ?? LAST;
}

/**
 * From the passages of several changes: their undisturbed ones say which files, the ordered ones in
 * which order. Throws where there is no undisturbed one.
 */
export function wayOf(given: Pick<Way, "service" | "title">, passages: readonly Passage[]): Way {
  const undisturbed = passages.filter(({ isOrdered }) => !isOrdered);
  if (undisturbed.length === 0) throw new Error(`no change passed the ${given.service}`);
  const ever = [...new Set(undisturbed.flatMap(({ files }) => files))];
  const isAlways = (file: string) => undisturbed.every(({ files }) => files.includes(file));
  const orders = passages.filter(({ isOrdered }) => isOrdered).map(({ files }) => files);
  const rankOf = (file: string) =>
    median(orders.map((files) => files.indexOf(file)).filter((at) => at >= 0));
  const files = ever.filter(isAlways).map((file) => ({ file, rank: rankOf(file) }));
  return {
    ...given,
    files: files.toSorted((a, b) => a.rank - b.rank).map(({ file }) => file),
    sometimes: ever.filter((file) => !isAlways(file)).toSorted(),
  };
}

/** Whether a file is the service's own, and no library's. */
export function isOwn(file: string): boolean {
  return file.startsWith("services/");
}

/** How many folders files lie in, and how often one lies in another folder than the one before. */
export function foldersOf(files: readonly string[]): { folders: number; moves: number } {
  const dirs = files.map((file) => posix.dirname(file));
  const moves = dirs.filter((dir, i) => i > 0 && dir !== dirs[i - 1]).length;
  return { folders: new Set(dirs).size, moves };
}
