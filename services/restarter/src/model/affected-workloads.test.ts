import { expect, test } from "vitest";
import type { SourceRecord } from "@rollcast/shared/records";
import { givenWorkload, rulesOf } from "../../test/given.ts";
import { countAffected, createAffectedCounts } from "./verdict.ts";

const RULES = rulesOf();
const AUTO = { "reloader.stakater.com/auto": "true" };

const OWNER = { group: "keda.sh", kind: "ScaledJob", name: "queue" };

function workload(name: string, annotations: Record<string, string>, items?: readonly string[]) {
  const volume = { name: "v", configMap: { name: "cfg", items: items?.map((key) => ({ key })) } };
  const spec = { containers: [{ name: "web", image: "web:1" }], volumes: [volume] };
  return givenWorkload({ annotations, metadata: { name }, spec, rules: RULES });
}

function record(over: Partial<SourceRecord> = {}): SourceRecord {
  return {
    v: 1,
    kind: "ConfigMap",
    namespace: "shop",
    name: "cfg",
    uid: "u",
    resourceVersion: "10",
    keyId: "k1",
    digests: {},
    state: "published",
    change: "changed",
    changedKeys: { added: ["new"], changed: ["a"], removed: ["old"] },
    createdAt: 0,
    annotations: {},
    ...over,
  };
}

const ALL = [
  workload("whole", AUTO),
  workload("key-a", AUTO, ["a"]),
  workload("removed-key", AUTO, ["old"]),
  workload("other-key", AUTO, ["b"]),
  workload("not-opted-in", {}),
  workload("named", { "configmap.reloader.stakater.com/reload": "cfg" }),
  { ...workload("job-of-keda", AUTO), rollBy: "recreate" as const, owner: OWNER },
];

test.each([
  { name: "those that use a key that differs and may roll", over: {}, count: 4 },
  {
    name: "all that may roll, where the keys were too many to list",
    over: { changedKeys: { added: [], changed: ["z"], removed: [], more: 1 } },
    count: 5,
  },
  {
    name: "all that may roll, if no keys are known",
    over: { changedKeys: undefined },
    count: 5,
  },
  {
    name: "none, where the source is to be ignored",
    over: { annotations: { "reloader.stakater.com/ignore": "true" } },
    count: 0,
  },
])("a change affects $name", ({ over, count }) => {
  const { changedKeys, ...rest } = record(over);
  const about = { ...rest, ...(changedKeys === undefined ? {} : { changedKeys }) };
  expect(countAffected(ALL, "ConfigMap/shop/cfg", { record: about, rules: RULES })).toBe(count);
});

test("each change is counted once, and the next one again", () => {
  let calls = 0;
  const usersOf = () => {
    calls++;
    return ALL.slice(0, calls);
  };
  const affected = createAffectedCounts({ usersOf }, RULES);
  const count = (resourceVersion: string, name = "cfg") =>
    affected(`ConfigMap/shop/${name}`, record({ resourceVersion }));
  expect([count("10"), count("10"), count("11"), count("11")]).toEqual([1, 1, 2, 2]);
  for (let i = 0; i < 1_001; i++) count("1", `other-${i}`);
  expect(calls).toBe(1_003);
  count("11");
  expect(calls).toBe(1_004);
});
