// `npm run mutants`: undoes one guarantee at a time in a copy of this checkout, and runs the test
// that must notice.
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { elapsed } from "../bootstrap/progress.mjs";
import { copyCheckout } from "./checkout-copy.ts";
import { MUTANTS } from "./list/mutants.ts";
import { mutate, projectOf } from "./list/mutant.ts";
import type { Mutant, NamedTest } from "./list/mutant.ts";
import { runNamedTests } from "./run-tests.ts";
import type { TestResult } from "./run-tests.ts";

const USAGE = `usage: npm run mutants [-- --integration] [--only NAME]... [--list]
  --only NAME     this one alone; may be repeated
  --integration   those too whose tests start servers
  --list          names all, with what each undoes and the test that must fail`;

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

type Options = { readonly mutants: readonly Mutant[]; readonly isList: boolean };

/** Reads the arguments; undefined for help. Throws with what is wrong. */
function readOptions(): Options | undefined {
  const { values } = parseArgs({
    options: {
      only: { type: "string", multiple: true, default: [] },
      integration: { type: "boolean", default: false },
      list: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return undefined;
  const { only, integration, list: isList } = values;
  const unknown = only.filter((name) => !MUTANTS.some((mutant) => mutant.name === name));
  if (unknown.length > 0) throw new Error(`no mutant is named ${unknown.join(", ")}: see --list`);
  const named = MUTANTS.filter(({ name }) => only.length === 0 || only.includes(name));
  const isRun = ({ killedBy }: Mutant) => integration || projectOf(killedBy) === "unit";
  const mutants = isList ? named : named.filter(isRun);
  if (mutants.length === 0) throw new Error("its test starts servers: add --integration");
  return { mutants, isList };
}

function testText({ file, title }: NamedTest): string {
  return `${file}: "${title}"`;
}

function listText({ name, undoes, file, killedBy }: Mutant): string {
  return `${name}\n  ${undoes}\n  undone in ${file}\n  killed by ${testText(killedBy)}`;
}

/** Why a test cannot say anything of a mutant; undefined where it can. */
function faultOf(test: NamedTest, result: TestResult): string | undefined {
  const named = testText(test);
  switch (result.state) {
    case "passed":
      return undefined;
    case "missing":
      return `the list is stale: no test, or not one only, is ${named}`;
    case "stuck":
      return `did not end, without any mutant: ${named}`;
    case "broken":
      return `cannot be loaded, without any mutant: ${named}\n${result.message}`;
    case "failed":
      return `fails without any mutant: ${named}\n${result.message}`;
  }
}

/** What is wrong with the tests by themselves. */
async function checkTests(
  root: string,
  mutants: readonly Mutant[],
  signal: AbortSignal,
): Promise<string[]> {
  const faults: string[] = [];
  for (const project of ["unit", "integration"] as const) {
    const ofProject = mutants.map(({ killedBy }) => killedBy);
    const [first, ...others] = ofProject.filter((test) => projectOf(test) === project);
    if (first === undefined) continue;
    const tests = [first, ...others] as const;
    const results = await runNamedTests(root, tests, signal);
    const ofTests = results.map((result, i) => faultOf(tests[i] ?? first, result));
    faults.push(...new Set(ofTests.filter((fault) => fault !== undefined)));
  }
  return faults;
}

function firstLine(text: string): string {
  return text.split("\n", 1)[0] ?? "";
}

/** Runs the test of a mutant with it; whether it was killed. */
async function isKilled(root: string, mutant: Mutant, signal: AbortSignal): Promise<boolean> {
  const { name, undoes, killedBy } = mutant;
  const file = join(root, mutant.file);
  const text = await readFile(file, "utf8");
  const since = Date.now();
  await writeFile(file, mutate(text, mutant));
  const [result] = await runNamedTests(root, [killedBy], signal).finally(() =>
    writeFile(file, text),
  );
  const took = elapsed(Date.now() - since);
  if (result?.state === "failed") {
    print(`killed    ${name} (${took}): ${firstLine(result.message)}`);
    return true;
  }
  if (result?.state === "passed") {
    print(`SURVIVED  ${name} (${took}): no longer true is "${undoes}", and this still passes:`);
    print(`          ${testText(killedBy)}`);
    return false;
  }
  const why = result?.state === "broken" ? firstLine(result.message) : (result?.state ?? "");
  print(`UNCLEAR   ${name} (${took}): its test says neither yes nor no: ${why}`);
  return false;
}

async function runMutants(mutants: readonly Mutant[], signal: AbortSignal): Promise<number> {
  const since = Date.now();
  await using copy = await copyCheckout();
  for (const mutant of mutants) {
    // All of the list, before the first test takes its time.
    mutate(await readFile(join(copy.root, mutant.file), "utf8"), mutant);
  }
  const faults = await checkTests(copy.root, mutants, signal);
  for (const fault of faults) print(fault);
  if (faults.length > 0) return 1;
  print(`mutants: the tests pass without any (${elapsed(Date.now() - since)})`);
  let killed = 0;
  for (const mutant of mutants) if (await isKilled(copy.root, mutant, signal)) killed += 1;
  const others = mutants.length - killed;
  const rest = others === 0 ? "" : `, ${others} not: a guarantee without a test that can fail`;
  print(`mutants: ${killed} of ${mutants.length} killed${rest} (${elapsed(Date.now() - since)})`);
  return others === 0 ? 0 : 1;
}

async function main(): Promise<number> {
  const options = readOptions();
  if (options === undefined) {
    print(USAGE);
    return 0;
  }
  if (options.isList) {
    for (const mutant of options.mutants) print(listText(mutant));
    return 0;
  }
  const stop = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => stop.abort());
  return runMutants(options.mutants, stop.signal);
}

process.exitCode = await main().catch((err: unknown) => {
  process.stderr.write(`${err instanceof Error ? err.message : String(err)}\n`);
  return 1;
});
