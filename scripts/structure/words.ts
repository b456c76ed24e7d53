import { posix } from "node:path";
import type { Named } from "./names.ts";
import { packageFolder } from "./package-folder.ts";

/** `docs/words.json`. */
export type Words = {
  readonly places: Readonly<Record<Named["place"], string>>;
  readonly words: readonly {
    /** Words, or several words in a row. */
    readonly words: readonly string[];
    readonly never: readonly Named["place"][];
    readonly say: string;
  }[];
  /** Exported names and files that stand for the same thing in several packages, and why. */
  readonly shared: Readonly<Record<string, string>>;
};

/** The words of a name or a sentence, in lower case: of `readLastEvent`, `read last event`. */
export function wordsIn({ place, text }: Pick<Named, "place" | "text">): string {
  const own = place === "file" ? text.replace(/^(?:[^/]+\/)*src\/|\.\w+$/g, "") : text;
  return own
    .replaceAll(/([a-z0-9])([A-Z])/g, "$1 $2")
    .replaceAll(/([A-Z])([A-Z][a-z])/g, "$1 $2")
    .replaceAll(/[^A-Za-z0-9]+/g, " ")
    .trim()
    .toLowerCase();
}

/**
 * Whether a name has such a word. A variable is one of them or not: `known` says nothing, but
 * `knownKinds` does.
 */
function says(named: Named, form: string): boolean {
  return named.place === "variable"
    ? named.text === form
    : ` ${wordsIn(named)} `.includes(` ${form} `);
}

/** Every name that has a word which must not stand there, a line each, with what to say instead. */
export function wordFaults({ places, words }: Words, names: readonly Named[]): string[] {
  return names.flatMap((named) =>
    words
      .filter(({ never }) => never.includes(named.place))
      .flatMap(({ words: forms, say }) =>
        forms
          .filter((form) => says(named, form))
          .map(
            (form) =>
              `${named.file}: ${places[named.place]} says "${form}" (${named.text}): say ${say}`,
          ),
      ),
  );
}

/** Names of files that say what a file is in its folder: what `node` is started with. */
const CONVENTIONAL = new Set(["main"]);

/** What must have one meaning: an exported name, or the name of a file without its ending. */
function meant({ place, text }: Named): string | undefined {
  if (place === "name") return `${text} is exported by`;
  if (place !== "file") return undefined;
  const base = posix.parse(text).name;
  return CONVENTIONAL.has(base) ? undefined : `${base} is the name of`;
}

/** Packages whose exported names are compared with the libraries' too. */
const ABOVE_LIBS = /^(?:services|jobs)\/|^cli(?:\/|$)/;

/** Where a name must have one meaning: a package, or all libraries together. */
function scopeOf(file: string): string {
  return file.startsWith("libs/") ? "libs" : (packageFolder(file) ?? "");
}

/**
 * Exported names, and names of files, with two meanings: of several files of one package, or of
 * several libraries; and exported names of a service, a job or the command line that a library
 * exports too. Services may repeat each other's names, and name their files as a library does.
 */
export function doubleMeanings({ shared }: Words, names: readonly Named[]): string[] {
  const byMeaning = new Map<string, Map<string, Set<string>>>();
  for (const named of names) {
    const what = meant(named);
    if (what === undefined || shared[what.split(" ")[0] ?? ""] !== undefined) continue;
    const byScope = byMeaning.get(what) ?? new Map<string, Set<string>>();
    const scope = scopeOf(named.file);
    byMeaning.set(what, byScope.set(scope, (byScope.get(scope) ?? new Set()).add(named.file)));
  }
  return [...byMeaning].flatMap(([what, byScope]) =>
    [...byScope].flatMap(([scope, files]) => {
      const isName = what.endsWith(" is exported by");
      const libs = isName && ABOVE_LIBS.test(scope) ? (byScope.get("libs") ?? []) : [];
      const all = [...libs, ...files];
      return all.length > 1 ? [`${what} ${all.join(" and ")}`] : [];
    }),
  );
}
