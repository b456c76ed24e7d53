/** A test by its file and its own title, as it is when a row of a table is filled in. */
export type NamedTest = { readonly file: string; readonly title: string };

/** One guarantee that is undone, and the test that must notice. */
export type Mutant = {
  readonly name: string;
  /** What the code does, and no longer does with `becomes`. */
  readonly undoes: string;
  readonly file: string;
  /** Occurs once in the file. */
  readonly find: string;
  readonly becomes: string;
  readonly killedBy: NamedTest;
};

/** The replay of a schedule that a mend has made clean, by the name of its file. */
export function replayOf(name: string): NamedTest {
  return {
    file: "services/restarter/test/model/findings/findings.test.ts",
    title: `mended: ${name}.txt`,
  };
}

/** The project of `vitest.config.ts` that a test belongs to; the integration ones start servers. */
export function projectOf({ file }: NamedTest): "unit" | "integration" {
  return /\/src\/|\/test\/model\//.test(file) ? "unit" : "integration";
}

/** The text with the mutant in it. Throws where its place is not found, or not once. */
export function mutate(text: string, { name, file, find, becomes }: Mutant): string {
  const parts = text.split(find);
  if (parts.length !== 2) {
    const count = parts.length === 1 ? "no longer" : `${parts.length - 1} times`;
    throw new Error(`${name}: ${file} has ${count} the text \`${find}\``);
  }
  return parts.join(becomes);
}
