import { glob, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { repositoryRoot } from "@rollcast/testkit/binaries";
import { importsOf } from "./imports.ts";
import type { Source, Workspace } from "./layers.ts";

const PACKAGES = "{cli,scripts,{libs,services,jobs,examples}/*}";

/** The packages of the repository that are no tests. */
export async function readWorkspace(): Promise<Workspace> {
  const found = new Map<string, string>();
  for await (const file of glob(`${PACKAGES}/package.json`, { cwd: repositoryRoot() })) {
    const { name } = JSON.parse(await readFile(join(repositoryRoot(), file), "utf8")) as {
      name: string;
    };
    found.set(name, dirname(file));
  }
  return found;
}

/** The files of the packages that are no tests, with their texts, in the order of their names. */
export async function readTexts(): Promise<{ file: string; text: string }[]> {
  const patterns = [`${PACKAGES}/src/**/*.ts`, "scripts/**/*.{ts,mjs}"];
  const files = new Set<string>();
  for await (const file of glob(patterns, {
    cwd: repositoryRoot(),
    exclude: ["**/node_modules"],
  })) {
    if (!file.endsWith(".test.ts")) files.add(file);
  }
  const texts = [...files].toSorted().map(async (file) => ({
    file,
    text: await readFile(join(repositoryRoot(), file), "utf8"),
  }));
  return Promise.all(texts);
}

/** The same, with what each imports. */
export async function readSources(): Promise<Source[]> {
  const texts = await readTexts();
  return texts.map(({ file, text }) => ({ file, imports: importsOf(file, text) }));
}
