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

/** Every name that has a word which must not stand there, a line each, with what to say instead. */
export function wordFaults({ places, words }: Words, names: readonly Named[]): string[] {
  return names.flatMap((named) => {
    const text = ` ${wordsIn(named)} `;
    return words
      .filter(({ never }) => never.includes(named.place))
      .flatMap(({ words: forms, say }) =>
        forms
          .filter((form) => text.includes(` ${form} `))
          .map(
            (form) =>
              `${named.file}: ${places[named.place]} says "${form}" (${named.text}): say ${say}`,
          ),
      );
  });
}

/**
 * Exported names with two meanings: exported in several files of one package, or of several
 * libraries.
 */
export function doubleMeanings({ shared }: Words, names: readonly Named[]): string[] {
  const byName = new Map<string, Set<string>>();
  for (const { place, text, file } of names) {
    if (place !== "name" || shared[text] !== undefined) continue;
    const scope = file.startsWith("libs/") ? "libs" : packageFolder(file);
    const key = `${scope} ${text}`;
    byName.set(key, (byName.get(key) ?? new Set()).add(file));
  }
  return [...byName]
    .filter(([, files]) => files.size > 1)
    .map(([key, files]) => `${key.split(" ")[1]} is exported by ${[...files].join(" and ")}`);
}
