import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { repositoryRoot } from "@rollcast/testkit/binaries";
import { expect, test } from "vitest";
import { importsOf, readSources, readWorkspace } from "./read-sources.ts";
import { clientFaults, layerFaults } from "./layers.ts";
import type { Layers } from "./layers.ts";

const layers = JSON.parse(await readFile(join(repositoryRoot(), "layers.json"), "utf8")) as Layers;

test("every import of the repository goes down the list of layers", async () => {
  expect(layerFaults(layers, await readWorkspace(), await readSources())).toEqual([]);
});

test("tests go through the packages that wrap a third party's, as sources do", async () => {
  const sources = await readSources({ tests: true });

  expect(sources.length).toBeGreaterThan((await readSources()).length);
  expect(clientFaults(layers, sources)).toEqual([]);
  const planted = { file: "test/rolls.test.ts", imports: ["ioredis"] };
  expect(clientFaults(layers, [planted])).toHaveLength(1);
});

const LAYERS: Layers = {
  packages: [["libs/low"], ["services/a", "services/b"]],
  apart: [],
  clients: {
    pino: ["libs/low/src/logger.ts"],
    "@nats-io/*": ["libs/low/src/nats"],
    "@nats-io/errors": ["services/a"],
  },
  folders: { "services/a/src": [["model"], ["context.ts"], ["reconcile"], ["."]] },
};
const WORKSPACE = new Map([
  ["@x/low", "libs/low"],
  ["@x/a", "services/a"],
  ["@x/b", "services/b"],
]);

function faults(...files: readonly [file: string, text: string][]): string[] {
  const sources = files.map(([file, text]) => ({ file, imports: importsOf(file, text) }));
  return layerFaults(LAYERS, WORKSPACE, sources);
}

test("imports down the rows are allowed", () => {
  const actual = faults(
    ["services/a/src/main.ts", 'import { loop } from "./reconcile/loop.ts";'],
    ["services/a/src/context.ts", 'import type { Key } from "./model/key.ts";'],
    ["services/a/src/reconcile/loop.ts", 'import type { Context } from "../context.ts";'],
    ["services/a/src/model/key.ts", 'import { x } from "@x/low/y"; import fs from "node:fs";'],
    ["libs/low/src/nats/connect.ts", 'import { connect } from "@nats-io/transport-node";'],
    ["services/a/src/errors.ts", 'import { NoError } from "@nats-io/errors";'],
  );

  expect(actual).toEqual([]);
});

test.each([
  ["a value", 'import { loop } from "../reconcile/loop.ts";'],
  ["a type", 'import type { Loop } from "../reconcile/loop.ts";'],
  ["a value that is exported again", 'export { loop } from "../reconcile/loop.ts";'],
  ["a module that is loaded later", 'const { loop } = await import("../reconcile/loop.ts");'],
])("%s of a higher folder is refused", (_, text) => {
  expect(faults(["services/a/src/model/key.ts", text])).toEqual([
    "services/a/src/model/key.ts imports ../reconcile/loop.ts: model is not above reconcile",
  ]);
});

test("of a circle of two folders one arrow is refused, whichever way they stand", () => {
  const actual = faults(
    ["services/a/src/model/key.ts", 'import type { Loop } from "../reconcile/loop.ts";'],
    ["services/a/src/reconcile/loop.ts", 'import type { Key } from "../model/key.ts";'],
  );

  expect(actual).toHaveLength(1);
});

test.each([
  ["services/a/src/x.ts", '@x/b/start"', "services/a is not above services/b"],
  ["libs/low/src/x.ts", '@x/a/start"', "libs/low is not above services/a"],
  ["services/a/src/x.ts", 'pino"', "only libs/low/src/logger.ts may import it"],
  ["services/b/src/x.ts", '@nats-io/errors"', "only services/a may import it"],
  ["services/a/src/x.ts", '@nats-io/kv"', "only libs/low/src/nats may import it"],
  ["services/a/src/new/x.ts", './model/key.ts"', "new stands in no row"],
])("%s may not import %s", (file, specifier, why) => {
  const path = file.includes("/new/") ? specifier.replace("./", "../") : specifier;
  expect(faults([file, `import { y } from "${path};`])[0]).toContain(why);
});

test.each(["services/b/src", "scripts"])("%s with several folders must have rows", (top) => {
  const actual = faults([`${top}/main.ts`, ""], [`${top}/model/key.ts`, ""]);

  expect(actual).toEqual([`${top}: its folders stand in no rows`]);
});
