import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { repositoryRoot } from "@rollcast/testkit/binaries";
import { expect, test } from "vitest";
import { namesOf } from "./names.ts";
import { readTexts } from "./tree.ts";
import { doubleMeanings, wordFaults, wordsIn } from "./words.ts";
import type { Words } from "./words.ts";

const words = JSON.parse(
  await readFile(join(repositoryRoot(), "docs", "words.json"), "utf8"),
) as Words;
const names = (await readTexts()).flatMap(({ file, text }) => namesOf(file, text));

test("no exported name, file, log sentence, field or metric says a word that docs/words.json rules out", () => {
  expect(wordFaults(words, names)).toEqual([]);
});

test("an exported name has one meaning", () => {
  expect(doubleMeanings(words, names)).toEqual([]);
});

test("a reason is written in CamelCase", async () => {
  const sources = (await readTexts()).filter(({ file }) =>
    /^(?:services|libs\/(?:nats|queue|shared))\//.test(file),
  );
  const reasons = sources.flatMap(({ file, text }) =>
    [...text.matchAll(/\breason:(?![^\n]*header)[^,;{}\n]*?"([^"\n]+)"/g)].map(
      ([, reason = ""]) => ({
        file,
        reason,
      }),
    ),
  );

  expect(reasons.length).toBeGreaterThan(20);
  expect(reasons.filter(({ reason }) => !/^[A-Z][A-Za-z0-9]*$/.test(reason))).toEqual([]);
});

test("the check sees what it looks at", () => {
  for (const place of ["name", "file", "log", "field", "metric"] as const) {
    expect(names.filter((named) => named.place === place).length, place).toBeGreaterThan(20);
  }
});

test.each([
  ["a type", "libs/x/src/a.ts", "export type Turns = string;"],
  ["a function", "libs/x/src/a.ts", "export function settleAll() {}"],
  ["a constant", "libs/x/src/a.ts", "export const SWEEP_MS = 1;"],
  ["a class", "libs/x/src/a.ts", "export class GateKeeper {}"],
  ["a file", "libs/x/src/sweep.ts", ""],
  ["a folder", "services/x/src/board/a.ts", ""],
  ["a log sentence", "libs/x/src/a.ts", 'ctx.logger.warn({ err }, "the sweep has failed");'],
  ["a log sentence without data", "libs/x/src/a.ts", 'logger.info("record left alone");'],
  ["a field", "services/x/src/model/a.ts", "const A = z.object({ slot: z.boolean() });"],
  ["a metric", "libs/x/src/a.ts", 'metrics.counter("rollcast_turns_total", "", []);'],
])("%s with a word that is ruled out is found", (_, file, text) => {
  expect(wordFaults(words, namesOf(file, text))).toHaveLength(1);
});

test.each([
  ["a local variable", "libs/x/src/a.ts", "const turn = 1;"],
  [
    "a field of no record",
    "services/x/src/http/a.ts",
    "const A = z.object({ slot: z.boolean() });",
  ],
  ["a word inside of another", "libs/x/src/a.ts", "export const returned = 1;"],
])("%s may have it", (_, file, text) => {
  expect(wordFaults(words, namesOf(file, text))).toEqual([]);
});

test("a name that two files of a package export is found", () => {
  const twice = ["services/x/src/a.ts", "services/x/src/b.ts"].flatMap((file) =>
    namesOf(file, "export type Limits = number;"),
  );

  expect(doubleMeanings(words, twice)).toEqual([
    "Limits is exported by services/x/src/a.ts and services/x/src/b.ts",
  ]);
});

test.each([
  ["name", "readLastEvent", "read last event"],
  ["name", "HTTPServer", "http server"],
  ["name", "MAX_IN_HAND", "max in hand"],
  ["file", "libs/kube/src/workloads/argo-rollout.ts", "workloads argo rollout"],
  ["metric", "rollcast_queue_slots", "rollcast queue slots"],
] as const)("the words of the %s %s are %s", (place, text, expected) => {
  expect(wordsIn({ place, text })).toBe(expected);
});
