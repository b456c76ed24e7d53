import { posix } from "node:path";
import type { Layers, Source } from "./layers.ts";

/** An import from one folder to another: the file and what it imports. */
type Arrows = Map<string, Map<string, string>>;

/** A file that stands in a row by its own name counts as a folder of its own. */
function roomsOf({ folders }: Pick<Layers, "folders">): (file: string) => string {
  const alone = new Set(
    Object.entries(folders).flatMap(([folder, rows]) =>
      rows.flat().map((name) => `${folder}/${name}`),
    ),
  );
  return (file) => (alone.has(file) ? file : posix.dirname(file));
}

function arrowsOf(roomOf: (file: string) => string, sources: readonly Source[]): Arrows {
  const arrows: Arrows = new Map();
  for (const { file, imports } of sources) {
    const from = roomOf(file);
    const below = arrows.get(from) ?? new Map<string, string>();
    for (const specifier of imports.filter((path) => path.startsWith("."))) {
      const to = roomOf(posix.join(posix.dirname(file), specifier));
      if (to !== from && !below.has(to)) below.set(to, `${file} imports ${specifier}`);
    }
    arrows.set(from, below);
  }
  return arrows;
}

/**
 * The shortest way from a folder back to itself: the folders on it; undefined where there is none.
 */
function wayBack(arrows: Arrows, start: string): string[] | undefined {
  const ways = [[start]];
  const visited = new Set<string>();
  for (const way of ways) {
    for (const next of arrows.get(way.at(-1) ?? start)?.keys() ?? []) {
      if (next === start) return way;
      if (!visited.has(next)) ways.push([...way, next]);
      visited.add(next);
    }
  }
  return undefined;
}

/**
 * The circles of folders that import each other, a line each. A folder and one inside of it are
 * two. Only relative imports are read: rows say which package may import which.
 */
export function folderCircles(
  layers: Pick<Layers, "folders">,
  sources: readonly Source[],
): string[] {
  const arrows = arrowsOf(roomsOf(layers), sources);
  const circles = new Map<string, string>();
  for (const start of [...arrows.keys()].toSorted()) {
    const way = wayBack(arrows, start);
    if (way === undefined) continue;
    const imports = way.map((from, at) => arrows.get(from)?.get(way[at + 1] ?? start));
    const key = way.toSorted().join(" ");
    if (!circles.has(key)) circles.set(key, imports.join(", "));
  }
  return [...circles.values()];
}
