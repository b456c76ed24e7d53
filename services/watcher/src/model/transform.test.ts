import { expect, test } from "vitest";
import { SOURCE_TYPES } from "./scope.ts";
import { editorsOf, installationKey, relevantAnnotations, transformData } from "./transform.ts";

const key = installationKey(Buffer.alloc(32, 1));
const options = { key, annotations: relevantAnnotations({}) };
const metadata = {
  name: "web.config",
  namespace: "shop",
  uid: "u-1",
  resourceVersion: "42",
  creationTimestamp: "2026-11-23T04:00:00Z",
};
const manager = (name: string, time: string, fields: object) => ({
  manager: name,
  operation: "Update",
  time,
  fieldsV1: { ...fields },
});

test("only what matters is kept of an object, and no value", () => {
  const observed = transformData(options, "Secret", {
    metadata: {
      ...metadata,
      labels: { app: "web" },
      annotations: {
        "reloader.stakater.com/match": "true",
        "kubectl.kubernetes.io/last-applied-configuration": "hunter2",
      },
    },
    data: { password: Buffer.from("hunter2").toString("base64") },
    type: "Opaque",
  });

  expect(observed).toEqual({
    kind: "Secret",
    namespace: "shop",
    name: "web.config",
    uid: "u-1",
    resourceVersion: "42",
    digests: { password: expect.stringMatching(/^[0-9a-f]{32}$/) },
    createdAt: Date.parse("2026-11-23T04:00:00Z"),
    editors: [],
    annotations: { "reloader.stakater.com/match": "true" },
  });
  expect(JSON.stringify(observed)).not.toContain("hunter2");
});

test("editors are the managers that own data, the newest first", () => {
  const object = {
    metadata: {
      ...metadata,
      managedFields: [
        manager("helm", "2026-11-23T04:00:00Z", { "f:data": { ".": {}, "f:a": {} } }),
        manager("kubectl-edit", "2026-11-23T05:00:00Z", { "f:data": { "f:b": {} } }),
        manager("labeller", "2026-11-23T06:00:00Z", { "f:metadata": {} }),
      ],
    },
  };

  expect(editorsOf(object, ["f:data"], true)).toEqual([
    { manager: "kubectl-edit", time: Date.parse("2026-11-23T05:00:00Z"), keys: new Set(["b"]) },
    { manager: "helm", time: Date.parse("2026-11-23T04:00:00Z"), keys: new Set([".", "a"]) },
  ]);
  expect(editorsOf({ metadata }, ["f:data"], true)).toEqual([]);
});

test.each([{ data: undefined }, { data: null }, { data: "text" }, { data: { a: 5 } }])(
  "odd data (%j) is no reason to fail",
  (odd) => {
    expect(() => transformData(options, "ConfigMap", { metadata, ...odd })).not.toThrow();
  },
);

test("a leader election's ConfigMap is left out", () => {
  const annotations = { "control-plane.alpha.kubernetes.io/leader": "{}" };

  expect(
    SOURCE_TYPES.ConfigMap.transform(options, { metadata: { ...metadata, annotations } }),
  ).toBe(undefined);
});

test("keeps the annotations that affect rollouts, under the names of the configuration", () => {
  const annotations = {
    "example.com/ignore": "true",
    "reloader.stakater.com/ignore": "true",
    "reloader.stakater.com/match": "true",
    "rollcast.dev/ignore": "false",
    "kubectl.kubernetes.io/last-applied-configuration": "{}",
  };
  const filter = relevantAnnotations({ ignore: "example.com/ignore" });
  const object = { metadata: { ...metadata, annotations } };
  expect(transformData({ key, annotations: filter }, "ConfigMap", object).annotations).toEqual({
    "rollcast.dev/ignore": "false",
    "example.com/ignore": "true",
    "reloader.stakater.com/match": "true",
  });
});

test("keeps what looks like an annotation of ours and is none, at most five", () => {
  const misnamed = Array.from({ length: 9 }, (_, i) => [`rollcast.dev/ignore${i}`, "true"]);
  const annotations = { "monitor.stakater.com/enabled": "true", ...Object.fromEntries(misnamed) };
  const object = { metadata: { ...metadata, annotations } };
  expect(Object.entries(transformData(options, "ConfigMap", object).annotations)).toEqual(
    misnamed.slice(0, 5),
  );
});
