// `npm run ways`: which files a change passes, measured on real servers, beside what
// docs/architecture.md says; with --write, that is renewed.
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { repositoryRoot } from "@rollcast/testkit/binaries";
import { checkOut } from "@rollcast/testkit/checkout";
import { blockOf, phraseOf, staleness, withBlock } from "./block.ts";
import { measureWays } from "./measure.ts";
import { foldersOf, isOwn } from "./way.ts";
import type { Way } from "./way.ts";

const USAGE = "usage: npm run ways [-- --write | --base REVISION] [--changes N]";
const CHANGES = "20";

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function readPhrases(root: string, ways: readonly Way[]) {
  const files = new Set(ways.flatMap((way) => way.files));
  const phrases = new Map<string, string>();
  for (const file of files) {
    phrases.set(file, phraseOf(file, await readFile(join(root, file), "utf8")));
  }
  return (file: string) => phrases.get(file) ?? "";
}

function report({ title, files, sometimes }: Way): string {
  const { folders, moves } = foldersOf(files);
  const own = files.filter(isOwn).length;
  const counts = `${files.length} files, ${own} of them the service's, and ${sometimes.length} for some changes`;
  return `${title}: ${counts}; with the libraries ${folders} folders and ${moves} moves`;
}

type Options = {
  readonly write: boolean;
  readonly base: string | undefined;
  readonly changes: number;
};

/** Reads the arguments. Throws with what is wrong. */
function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      write: { type: "boolean", default: false },
      base: { type: "string" },
      changes: { type: "string", default: CHANGES },
    },
  });
  const changes = Number(values.changes);
  if (!Number.isSafeInteger(changes) || changes < 1) {
    throw new Error(`--changes is "${values.changes}": a whole number above 0 is needed`);
  }
  if (values.write && values.base !== undefined) {
    throw new Error("--write is for this checkout: it does not go with --base");
  }
  return { write: values.write, base: values.base, changes };
}

/** Prints the ways; returns 1 where the page lists others, which `write` renews. */
async function compareWays({ write, base, changes }: Options): Promise<number> {
  await using undo = new AsyncDisposableStack();
  const root = base === undefined ? repositoryRoot() : undo.use(await checkOut(base)).root;
  const ways = await measureWays(root, changes);
  const block = blockOf(ways, await readPhrases(root, ways));
  print(`${block}\n`);
  for (const way of ways) print(report(way));
  if (base !== undefined) return 0;
  const file = join(root, "docs", "architecture.md");
  const page = await readFile(file, "utf8");
  if (write) {
    await writeFile(file, withBlock(page, block));
    return 0;
  }
  const faults = staleness(page, ways);
  for (const fault of faults) print(fault);
  if (faults.length === 0) return 0;
  print("docs/architecture.md is stale: `npm run ways -- --write` renews it");
  return 1;
}

async function main(): Promise<number> {
  let options: Options;
  try {
    options = readOptions();
  } catch (err) {
    process.stderr.write(`${err instanceof Error ? err.message : String(err)}\n\n${USAGE}\n`);
    return 2;
  }
  return compareWays(options);
}

process.exitCode = await main();
