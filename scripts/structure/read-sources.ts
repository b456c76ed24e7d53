import { glob, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { repositoryRoot } from "@rollcast/testkit/binaries";
import type { Source, Workspace } from "./layers.ts";
import { PACKAGES } from "./package-folder.ts";
import { isNode, nodesOf, programOf, textsOf } from "./ast.ts";
import type { AnyNode } from "./ast.ts";

const SOURCES = [`${PACKAGES}/src/**/*.ts`, "{bench,scripts}/**/*.{ts,mjs}"];
const TESTS = [`${PACKAGES}/test/**/*.ts`, "test/**/*.{ts,mjs}", "*.ts"];

type Manifest = { readonly name: string; readonly exports?: Readonly<Record<string, string>> };

/** A file and what it contains. */
export type SourceText = { readonly file: string; readonly text: string };

async function readManifests(): Promise<[dir: string, manifest: Manifest][]> {
  const manifests: [string, Manifest][] = [];
  for await (const file of glob(`${PACKAGES}/package.json`, { cwd: repositoryRoot() })) {
    const text = await readFile(join(repositoryRoot(), file), "utf8");
    manifests.push([dirname(file), JSON.parse(text) as Manifest]);
  }
  return manifests;
}

/** The packages of the repository that are no tests. */
export async function readWorkspace(): Promise<Workspace> {
  return new Map((await readManifests()).map(([dir, { name }]) => [name, dir]));
}

/** The packages with what they export. */
export async function readExports(): Promise<ExportingPackage[]> {
  const manifests = await readManifests();
  return manifests.map(([dir, { name, exports = {} }]) => ({
    name,
    dir,
    exports: Object.keys(exports),
  }));
}

async function readGlobs(patterns: readonly string[]): Promise<SourceText[]> {
  const files = new Set<string>();
  const options = { cwd: repositoryRoot(), exclude: ["**/node_modules"] };
  for await (const file of glob(patterns, options)) files.add(file);
  const texts = [...files].toSorted().map(async (file) => ({
    file,
    text: await readFile(join(repositoryRoot(), file), "utf8"),
  }));
  return Promise.all(texts);
}

/** The sources of the repository with their texts, in the order of their names. */
export async function readTexts(options: { tests?: boolean } = {}): Promise<SourceText[]> {
  if (options.tests === true) return readGlobs([...SOURCES, ...TESTS]);
  return (await readGlobs(SOURCES)).filter(({ file }) => !file.endsWith(".test.ts"));
}

/** What is deployed and how: Dockerfile, compose, the chart (not its output), shell scripts. */
export async function readDeployed(): Promise<SourceText[]> {
  const folders = "{deploy/*,deploy/charts,scripts,.github,test/fixtures/chart}/**/*.{yaml,yml,sh}";
  const texts = await readGlobs(["Dockerfile", "*.yml", ".ci/run", folders]);
  return texts.filter(({ file }) => !file.endsWith(".golden.yaml"));
}

/** The documents of the repository, in the order of their names. */
export async function readPages(): Promise<SourceText[]> {
  return readGlobs(["*.md", "docs/**/*.md"]);
}

/** As `wc -l` counts. */
export function countLines(text: string): number {
  return text.split("\n").length - 1;
}

/** The sources as `readTexts` finds them, with what each imports. */
export async function readSources(options: { tests?: boolean } = {}): Promise<Source[]> {
  const texts = await readTexts(options);
  return texts.map(({ file, text }) => ({ file, imports: importsOf(file, text) }));
}

/** The node that names a module, of a node that refers to one: `import`, `export`, `import()`. */
function moduleOf(node: AnyNode): unknown {
  switch (node.type) {
    case "ImportDeclaration":
    case "ExportNamedDeclaration":
    case "ExportAllDeclaration":
    case "ImportExpression":
    // `import("x").Y`, as a type.
    case "TSImportType":
      return node.source;
    default:
      return undefined;
  }
}

/**
 * The specifiers of all imports and re-exports of a TypeScript source, those of types too, each
 * once; also that of an `import()` of a template without expressions. Throws where it is no
 * TypeScript.
 */
export function importsOf(file: string, text: string): string[] {
  const specifiers = [...nodesOf(programOf(file, text))]
    .map(moduleOf)
    .filter(isNode)
    .filter(({ expressions }) => !Array.isArray(expressions) || expressions.length === 0)
    .flatMap(textsOf);
  return [...new Set(specifiers)];
}

/** A package of the workspace with the keys of its `exports`. */
type ExportingPackage = {
  readonly name: string;
  readonly dir: string;
  readonly exports: readonly string[];
};

function isTest(file: string): boolean {
  return /\.test\.ts$|(^|\/)test\//.test(file);
}

/**
 * The exports that no file outside of their package imports. Tests count as outside, those of the
 * package itself too.
 */
export function unusedExports(
  packages: readonly ExportingPackage[],
  sources: readonly Source[],
): string[] {
  return packages.flatMap(({ name, dir, exports }) => {
    const outside = sources.filter(({ file }) => !file.startsWith(`${dir}/`) || isTest(file));
    const imported = new Set(outside.flatMap(({ imports }) => imports));
    return exports
      .map((key) => name + key.slice(1))
      .filter((specifier) => !imported.has(specifier));
  });
}
