import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { repositoryRoot } from "@rollcast/testkit/binaries";
import { expect, test } from "vitest";
import { namesOf } from "./names.ts";
import { readTexts } from "./read-sources.ts";
import { reasonsOf } from "./reasons.ts";
import type { Reason } from "./reasons.ts";
import { doubleMeanings, wordFaults, wordsIn } from "./words.ts";
import type { Words } from "./words.ts";

const words = JSON.parse(
  await readFile(join(repositoryRoot(), "docs", "words.json"), "utf8"),
) as Words;
const FILE = "libs/x/src/a.ts";
const names = (await readTexts()).flatMap(({ file, text }) => namesOf(file, text));

test("no exported name, file, log sentence, field or metric says a word that docs/words.json rules out", () => {
  expect(wordFaults(words, names)).toEqual([]);
});

test("an exported name, and the name of a file, has one meaning", () => {
  expect(doubleMeanings(words, names)).toEqual([]);
});

const isNotCamelCase = ({ reason }: Reason) => !/^[A-Z][A-Za-z0-9]*$/.test(reason);

test("a reason is written in CamelCase", async () => {
  const sources = (await readTexts()).filter(({ file }) =>
    /^(?:services|libs\/(?:nats|queue|shared))\//.test(file),
  );
  const reasons = reasonsOf(sources);

  expect(reasons.length).toBeGreaterThan(20);
  expect(reasons.filter(isNotCamelCase)).toEqual([]);
});

test.each([
  ["a field", 'publish({ reason: "max-rolling" });'],
  ["one arm of a choice", 'publish({ reason: a ? "MaxRolling" : "max-rolling" });'],
  ["the other arm of a choice", 'publish({ reason: a\n? "max-rolling"\n: "MaxRolling" });'],
  ["a sentence", 'publish({ reason: "The queue rolls enough" });'],
  ["what stands for nothing", 'publish({ reason: a ?? "max-rolling" });'],
  ["a constant", 'const HELD = "max-rolling"; publish({ reason: HELD });'],
  ["a constant of a choice", 'const HELD = "max-rolling"; publish({ reason: a ? HELD : "B" });'],
  ["a table", 'const ALL = { 1: "max-rolling" }; publish({ reason: ALL[a] ?? "B" });'],
  ["a variable", 'const reason = a ? "max-rolling" : "B"; publish({ reason });'],
  ["a default", 'function publish(reason = "max-rolling") {}'],
  ["a schema", 'const A = z.object({ reason: z.enum(["B", "max-rolling"]).optional() });'],
  ["a type", 'type A = { readonly reason: "B" | "max-rolling" };'],
])("%s with another reason than CamelCase is found", (_, text) => {
  expect(reasonsOf([{ file: FILE, text }]).filter(isNotCamelCase)).not.toEqual([]);
});

test("a constant of another file with another reason than CamelCase is found", () => {
  const texts = ['export const HELD = "max-rolling";', "publish({ reason: HELD });"];
  const sources = texts.map((text, at) => ({ file: `libs/x/src/${at}.ts`, text }));

  expect(reasonsOf(sources)).toEqual([{ file: "libs/x/src/1.ts", reason: "max-rolling" }]);
});

test.each([
  ["a condition", 'publish({ reason: a === "max-rolling" ? "A" : "B" });'],
  ["the key of a table", 'const ALL = { "max-rolling": "A" }; publish({ reason: ALL[a] });'],
  ["a template that begins in CamelCase", "publish({ reason: `Http${status}` });"],
  ["none", 'publish({ reason: a ?? "" });'],
  ["a filter for all", 'function page({ reason = "*" }) {}'],
  ["the name of a header", 'publish({ reason: headers.get("max-rolling") });'],
])("%s is no reason", (_, text) => {
  expect(reasonsOf([{ file: FILE, text }]).filter(isNotCamelCase)).toEqual([]);
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
  ["a name given by a list", FILE, "const turn = 1; export { turn };"],
  ["a name given by a list under another name", FILE, "const a = 1; export { a as turn };"],
  ["a new name for another file's", FILE, 'export { a as turn } from "./b.ts";'],
  ["a name for all of another file", FILE, 'export * as turns from "./b.ts";'],
  ["a name that is unpacked", FILE, "export const { a: turn, ...b } = c;"],
  ["a name that is unpacked from a list", FILE, "export const [a, turn = 1] = c;"],
  ["a log sentence of a template", FILE, "logger.info({ a }, `the sweep of ${b} has failed`);"],
  ["a log sentence that is chosen", FILE, 'log.info(a ? "resync done" : "sweep done");'],
  ["a log sentence by a level that is chosen", FILE, 'logger[level]({ a }, "sweep done");'],
  ["a log sentence of a child", FILE, 'logger.child({ a }).warn("sweep done");'],
  ["a log sentence of a member", FILE, 'this.logger?.warn("sweep done");'],
  ["a log sentence of a logger by another name", FILE, 'own.error({ err }, "the sweep failed");'],
  ["a log sentence of a bare logger by another name", FILE, 'own.error("the sweep failed");'],
  ["a log field", "bench/a.ts", 'logger.warn({ slots }, "queue is full");'],
  ["a nested log field", "bench/a.ts", 'logger.warn({ queue: { slots } }, "queue is full");'],
  ["a log field that is spread", "bench/a.ts", 'log.warn({ ...(a && { slots }) }, "queue full");'],
  ["a log field of a child", "bench/a.ts", "const own = logger.child({ slots });"],
  ["a label of a metric", FILE, 'metrics.gauge("rollcast_jobs", "", ["turn"]);'],
  ["a metric of the library", FILE, 'new Gauge({ name: "rollcast_turns", labelNames: [] });'],
  ["a label of the library", FILE, 'new Gauge({ name: "rollcast_a", labelNames: ["turn"] });'],
  ["a field of an extended schema", FILE, "const A = B.extend({ slot: z.boolean() });"],
  ["a field of a loose schema", FILE, "const A = z.looseObject({ slot: z.boolean() });"],
  ["a field of an alias of the library", FILE, "const A = zod.object({ slot: a });"],
  [
    "a field of a member of a union",
    FILE,
    'const A = z.discriminatedUnion("a", [z.object({ slot })]);',
  ],
  ["a field that is spread", FILE, "const own = { slot: a }; const A = z.object({ ...own });"],
  ["a field of a type", FILE, "type A = { readonly slot: boolean };"],
  ["a field that is a method", FILE, "type A = { slot(): boolean };"],
  ["a field of an interface", FILE, "interface A { slot: boolean }"],
  ["a field of an event", FILE, "publish({ data: { slot: 1 } });"],
])("%s with a word that is ruled out is found", (_, file, text) => {
  expect(wordFaults(words, namesOf(file, text))).toHaveLength(1);
});

test.each([
  ["a local variable", "libs/x/src/a.ts", "const turn = 1;"],
  ["a field in a tool", "scripts/a.ts", "const A = { oneOf: [] };"],
  ["a key that is a value", FILE, 'const A = { "all-in-one": 1 };'],
  [
    "another file's name",
    FILE,
    'export { turn } from "./b.ts"; export type { Turn } from "./b.ts";',
  ],
  ["an imported name", FILE, 'import { turn } from "b"; export { turn };'],
  ["a local name that is exported by another", FILE, "const turn = 1; export { turn as a };"],
  ["a call that is no log line", FILE, 'streams.info("turn", { a });'],
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

test.each(["services/x/src/a.ts", "jobs/x/src/a.ts", "cli/src/a.ts"])(
  "a name that a library and %s export is found",
  (file) => {
    const twice = ["libs/x/src/b.ts", file].flatMap((source) =>
      namesOf(source, "export type Limits = number;"),
    );

    expect(doubleMeanings(words, twice)).toEqual([
      `Limits is exported by libs/x/src/b.ts and ${file}`,
    ]);
  },
);

test.each([
  ["of a package", "services/x/src/a/keys.ts", "services/x/src/b/keys.ts"],
  ["of several libraries", "libs/x/src/keys.ts", "libs/y/src/keys.ts"],
  ["of several languages", "scripts/a/keys.mjs", "scripts/b/keys.ts"],
])("two files %s with one name are found", (_, first, second) => {
  expect(
    doubleMeanings(
      words,
      [first, second].flatMap((file) => namesOf(file, "")),
    ),
  ).toEqual([`keys is the name of ${first} and ${second}`]);
});

test.each([
  ["of two services", "services/x/src/context.ts", "services/y/src/context.ts"],
  ["of a library and a service", "libs/x/src/routes.ts", "services/x/src/routes.ts"],
  ["of which each is its folder's program", "scripts/a/main.ts", "scripts/b/main.ts"],
  ["that words.json allows", "libs/x/src/deployment.ts", "libs/y/src/deployment.ts"],
])("two files %s may have one name", (_, first, second) => {
  expect(
    doubleMeanings(
      words,
      [first, second].flatMap((file) => namesOf(file, "")),
    ),
  ).toEqual([]);
});

test("two services may export one name", () => {
  const twice = ["services/x/src/a.ts", "services/y/src/a.ts"].flatMap((file) =>
    namesOf(file, "export type Context = number;"),
  );

  expect(doubleMeanings(words, twice)).toEqual([]);
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
