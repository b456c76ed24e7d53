import { mkdir, open, readFile, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import process from "node:process";
import { z } from "zod";
import { runLogged } from "../bootstrap/run-command.mjs";
import { projectOf } from "./list/mutant.ts";
import type { NamedTest } from "./list/mutant.ts";

/** What became of a test; `missing` where its file has none of that title, or more than one. */
export type TestResult =
  | { readonly state: "passed" | "missing" | "stuck" }
  | { readonly state: "failed"; readonly message: string }
  /** Its file could not be loaded. */
  | { readonly state: "broken"; readonly message: string };

/** Part of what vitest's JSON reporter writes. */
const Report = z.object({
  testResults: z.array(
    z.object({
      name: z.string(),
      message: z.string(),
      assertionResults: z.array(
        z.object({
          title: z.string(),
          status: z.string(),
          failureMessages: z.array(z.string()),
        }),
      ),
    }),
  ),
});
type Report = z.infer<typeof Report>;

/** Many times what the slowest takes alone: a busy machine is no end. */
const LIMITS_MS = { unit: 900_000, integration: 1_800_000 };

function escape(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
}

/** The report of one run; undefined where it did not end in time. */
async function runVitest(
  root: string,
  tests: readonly [NamedTest, ...NamedTest[]],
  signal: AbortSignal,
): Promise<Report | undefined> {
  const [first] = tests;
  const report = join(root, ".cache", "mutants.json");
  await mkdir(dirname(report), { recursive: true });
  await rm(report, { force: true });
  const limit = AbortSignal.timeout(LIMITS_MS[projectOf(first)]);
  const args = [
    join(root, "node_modules", "vitest", "vitest.mjs"),
    "run",
    `--project=${projectOf(first)}`,
    `--testNamePattern=(?:${[...new Set(tests.map(({ title }) => escape(title)))].join("|")})$`,
    "--reporter=json",
    `--outputFile.json=${report}`,
    ...new Set(tests.map(({ file }) => file)),
  ];
  // Under its guard, which ends what a test that failed has left behind.
  await using log = await open(join(root, ".cache", "mutants.log"), "w");
  await runLogged(process.execPath, args, {
    cwd: root,
    env: process.env,
    log: log.fd,
    signal: AbortSignal.any([signal, limit]),
  });
  signal.throwIfAborted();
  if (limit.aborted) return undefined;
  return Report.parse(JSON.parse(await readFile(report, "utf8")));
}

function resultOf(root: string, report: Report, { file, title }: NamedTest): TestResult {
  const ofFile = report.testResults.filter(({ name }) => name === join(root, file));
  const results = ofFile.flatMap(({ assertionResults }) => assertionResults);
  const [result, ...others] = results.filter((each) => each.title === title);
  if (result === undefined) {
    const message = ofFile.map((each) => each.message).find((text) => text !== "");
    return message === undefined ? { state: "missing" } : { state: "broken", message };
  }
  if (others.length > 0) return { state: "missing" };
  if (result.status === "passed") return { state: "passed" };
  return { state: "failed", message: result.failureMessages.join("\n") };
}

/** Runs tests of one project in a checkout; each result is of the test at its place. */
export async function runNamedTests(
  root: string,
  tests: readonly [NamedTest, ...NamedTest[]],
  signal: AbortSignal,
): Promise<TestResult[]> {
  const report = await runVitest(root, tests, signal);
  if (report === undefined) return tests.map(() => ({ state: "stuck" }));
  return tests.map((named) => resultOf(root, report, named));
}
