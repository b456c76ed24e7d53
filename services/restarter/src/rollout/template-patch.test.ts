import type { PatchOperation } from "@rollcast/kube/patch";
import { deployment } from "@rollcast/kube/workloads/deployment";
import { expect, test } from "vitest";
import { givenWorkload, rulesOf } from "../../test/given.ts";
import { ABSENT, MARKER } from "../model/content.ts";
import { LAST_RELOADED_FROM } from "../model/reloader-marks.ts";
import type { Rollout, WorkloadRecord } from "../model/workload-record.ts";
import { templatePatch } from "./roll.ts";

const SHA1 = "f83e99e324ba68ccc373a58ef1eb42f8ab88646a";
const digest = (letter: string) => `k1.${letter.repeat(32)}`;
const ENV = "/spec/template/spec/containers";

type Given = {
  strategy?: string;
  containers?: object[];
  templateAnnotations?: Record<string, string>;
  running?: Record<string, string>;
  wanted: Record<string, string>;
};

const contents = (digests: Record<string, string>) =>
  Object.fromEntries(
    Object.entries(digests).map(([name, value]) => [
      `ConfigMap/shop/${name}`,
      { keys: "*" as const, digest: value },
    ]),
  );

function patch({ strategy = "marker", containers, templateAnnotations, running, wanted }: Given) {
  const rules = rulesOf({ strategy });
  const workload = givenWorkload({
    templateAnnotations: templateAnnotations ?? {},
    spec: { containers: containers ?? [{ name: "web" }, { name: "side" }] },
    rules,
  });
  const rollout: Rollout = {
    id: "r",
    wanted: contents(wanted),
    changed: 1,
    guard: 1,
    marker: "M",
    templateHash: "t",
    decidedAt: 5_000,
    changedAt: 4_999,
    cause: { kind: "ConfigMap", namespace: "shop", name: "cfg" },
  };
  const record = { running: contents(running ?? {}), rollout } as unknown as WorkloadRecord & {
    rollout: Rollout;
  };
  const [object, spec, ...rest] = templatePatch({ kind: deployment, workload, record, rules });
  expect(object).toEqual({ op: "test", path: "/metadata/uid", value: workload.uid });
  expect(spec).toEqual({ op: "test", path: "/metadata/generation", value: 1 });
  return rest;
}

const annotation = (operations: PatchOperation[], name: string) =>
  operations.find(({ path }) => path.endsWith(name.replace("/", "~1")));

test("the strategy marker writes the marker alone", () => {
  const [only, ...more] = patch({ wanted: { cfg: digest("a") } });
  expect(only).toMatchObject({ op: "add", value: "M" });
  expect(more).toEqual([]);
});

test("2.4 the strategy reloader-annotations writes Reloader's JSON, the same on every attempt", () => {
  const given = { strategy: "reloader-annotations", wanted: { cfg: digest("a") } };
  const operations = patch(given);
  expect(annotation(operations, MARKER)).toBeDefined();
  expect(JSON.parse(String(annotation(operations, LAST_RELOADED_FROM)?.value))).toEqual({
    type: "CONFIGMAP",
    name: "cfg",
    namespace: "shop",
    hash: digest("a"),
    containerRefs: ["web"],
    observedAt: 4,
  });
  expect(patch(given)).toEqual(operations);
});

test("2.3 the strategy reloader-env-vars adds the variable of a changed source, to a container without any", () => {
  const operations = patch({
    strategy: "reloader-env-vars",
    running: { cfg: digest("a"), other: digest("c") },
    wanted: { cfg: digest("b"), other: digest("c") },
  });
  expect(operations.slice(1)).toEqual([
    { op: "add", path: `${ENV}/0/env`, value: [] },
    {
      op: "add",
      path: `${ENV}/0/env/-`,
      value: { name: "STAKATER_CFG_CONFIGMAP", value: digest("b") },
    },
  ]);
});

test("replaces Reloader's variable of a changed source, keeps its others, removes ours without a source", () => {
  const operations = patch({
    strategy: "reloader-env-vars",
    containers: [
      {
        name: "web",
        env: [
          { name: "STAKATER_CFG_CONFIGMAP", value: SHA1 },
          { name: "STAKATER_OTHER_CONFIGMAP", value: SHA1 },
          { name: "STAKATER_GONE_CONFIGMAP", value: digest("d") },
          { name: "LOG", value: "info" },
        ],
      },
      { name: "side", env: [{ name: "STAKATER_CFG_CONFIGMAP", value: digest("a") }] },
    ],
    wanted: { cfg: digest("b"), gone: ABSENT },
  });
  expect(operations.slice(1)).toEqual([
    {
      op: "replace",
      path: `${ENV}/0/env/0`,
      value: { name: "STAKATER_CFG_CONFIGMAP", value: digest("b") },
    },
    { op: "remove", path: `${ENV}/0/env/2` },
    { op: "remove", path: `${ENV}/1/env/0` },
  ]);
});

test("under another strategy the next rollout removes the old marks, the last first", () => {
  const operations = patch({
    containers: [
      {
        name: "web",
        env: [
          { name: "STAKATER_CFG_CONFIGMAP", value: SHA1 },
          { name: "LOG", value: "info" },
          { name: "STAKATER_OTHER_CONFIGMAP", value: digest("c") },
        ],
      },
    ],
    templateAnnotations: { [LAST_RELOADED_FROM]: "{}" },
    wanted: { cfg: digest("b") },
  });
  expect(operations.slice(1)).toEqual([
    {
      op: "remove",
      path: "/spec/template/metadata/annotations/reloader.stakater.com~1last-reloaded-from",
    },
    { op: "remove", path: `${ENV}/0/env/2` },
    { op: "remove", path: `${ENV}/0/env/0` },
  ]);
});
