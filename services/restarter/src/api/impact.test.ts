import { expect, test } from "vitest";
import { CFG, T0, givenSituation, givenSource } from "../../test/given-situation.ts";
import { givenWorkload, rulesOf } from "../../test/given.ts";
import { decide } from "../decision/decide.ts";
import type { DecisionInput } from "../decision/decision.ts";
import { impactOn } from "./impact-route.ts";

const AUTO = { "rollcast.dev/auto": "true" };
const SOURCE = { kind: "ConfigMap", namespace: "shop", name: "cfg" };
const ONE_KEY = {
  containers: [
    {
      name: "web",
      env: [{ name: "A", valueFrom: { configMapKeyRef: { name: "cfg", key: "a" } } }],
    },
  ],
};

const OWNER = { group: "keda.sh", kind: "ScaledJob", name: "queue" };
const opted = () => givenWorkload({ annotations: AUTO });
const onlyA = () => givenWorkload({ annotations: AUTO, spec: ONE_KEY });
const gone = new Map([[CFG, givenSource("aa", { deletedAt: T0 - 60_000 })]]);

const CASES: [string, Partial<DecisionInput>, string[] | undefined, object][] = [
  ["an opted-in workload rolls", {}, undefined, { would: "roll", check: "auto", keys: "*" }],
  [
    "a workload that is not opted in is kept",
    { workload: givenWorkload() },
    undefined,
    { would: "keep", check: "not-opted-in" },
  ],
  ["a used key rolls", { workload: onlyA() }, ["a"], { would: "roll", keys: ["a"] }],
  [
    "a key that is not used rolls nothing",
    { workload: onlyA() },
    ["b"],
    { would: "keep", check: "other-keys", message: expect.stringContaining("only other keys: a") },
  ],
  ["a new key rolls who uses all keys", {}, ["new"], { would: "roll" }],
  [
    "a Job of a controller is left to it",
    { workload: { ...opted(), rollBy: "recreate", owner: OWNER } },
    undefined,
    { would: "keep", check: "auto", message: expect.stringContaining("left to ScaledJob queue") },
  ],
  ["a new key rolls who uses all keys, whatever its name", {}, ["__proto__"], { would: "roll" }],
  ["observing tells and skips", { mode: "observe" }, undefined, { would: "skip" }],
  [
    "a workload with a pace of its own waits",
    {
      workload: givenWorkload({ annotations: { ...AUTO, "rollcast.dev/pause-period": "5m" } }),
    },
    undefined,
    { would: "wait", at: new Date(T0 + 300_000).toISOString() },
  ],
  [
    "a source that is gone would be created, which rolls nothing",
    { sources: gone },
    undefined,
    { would: "keep", message: expect.stringContaining("reload.onCreate") },
  ],
  [
    "unless creations count",
    { sources: gone, rules: rulesOf({ onCreate: true }) },
    undefined,
    { would: "roll" },
  ],
];

test.each(CASES)("%s", (_, over, keys, want) => {
  expect(impactOn(givenSituation(over), SOURCE, keys)).toMatchObject(want);
});

test("a workload with a record rolls for the change, not for earlier reported ones", () => {
  const adopted = decide(givenSituation());
  if (adopted.do === "requeue") throw new Error("no record");
  const s = givenSituation({ record: adopted.record });
  expect(impactOn(s, SOURCE, ["b"])).toMatchObject({ would: "roll" });
  // Nothing was written: the input is unchanged.
  expect(decide(s).do).toBe("keep");
});
