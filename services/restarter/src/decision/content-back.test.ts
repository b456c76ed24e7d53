import { expect, test } from "vitest";
import { CFG, T0, decided, givenSituation, givenSource } from "../../test/given-situation.ts";
import { givenWorkload } from "../../test/given.ts";
import type { SourceRecord } from "@rollcast/shared/records";
import type { Content } from "../model/content.ts";
import type { WorkloadRecord } from "../model/workload-record.ts";
import type { Workload } from "../model/workload.ts";
import { contentBack, withBack } from "./content-back.ts";
import { decide } from "./decide.ts";

const workload = givenWorkload({ annotations: { "rollcast.dev/auto": "true" } });
/** {@link CFG} had changed once, at {@link T0}. */
const record = decided(workload, givenSource("aa", { changedAt: T0, changeCount: 1 }));
const A = { added: [], changed: ["a"], removed: [] };
const AWAY = { at: T0 + 2_000, keys: ["a"] };
const BEFORE = { at: T0, keys: ["a"] };

type Given = {
  readonly name: string;
  readonly record?: Partial<WorkloadRecord>;
  /** Of what the record has of the source. */
  readonly running?: Partial<Content>;
  readonly workload?: Partial<Workload>;
  /** The last change is at {@link T0} + 5 s. */
  readonly source?: Partial<SourceRecord>;
  readonly since: number | undefined;
};

test.each<Given>([
  { name: "it changed, and changed back", since: T0 + 2_000 },
  {
    name: "the first of more changes",
    source: { changeCount: 4, earlierChanges: [BEFORE, AWAY, { at: T0 + 4_000 }] },
    since: T0 + 2_000,
  },
  {
    name: "it changed once, so it was another key",
    source: { changeCount: 2, earlierChanges: [BEFORE] },
    since: undefined,
  },
  { name: "both changes are known", running: { changeCount: 3 }, since: undefined },
  { name: "one of both changes is known", running: { changeCount: 2 }, since: undefined },
  {
    name: "all changes are of one moment, and known",
    running: { changeCount: 3 },
    source: { earlierChanges: [{ at: T0 + 5_000 }, { at: T0 + 5_000 }] },
    since: undefined,
  },
  { name: "the record of the source is a new one", running: { changeCount: 9 }, since: undefined },
  {
    name: "an earlier watcher has not counted them",
    source: { changeCount: undefined },
    since: undefined,
  },
  {
    name: "both came late, after another decision",
    record: { decidedAt: T0 + 10_000 },
    since: T0 + 2_000,
  },
  {
    name: "another key changed before",
    running: { keys: ["a"] },
    source: { earlierChanges: [{ at: T0 + 2_000, keys: ["b"] }] },
    since: undefined,
  },
  {
    name: "another key changed after it",
    running: { keys: ["a"] },
    source: {
      changeCount: 4,
      earlierChanges: [AWAY, { at: T0 + 3_000, keys: ["a"] }],
      changedKeys: { added: [], changed: ["b"], removed: [] },
    },
    since: T0 + 2_000,
  },
  {
    name: "too many keys changed to be named",
    running: { keys: ["a"] },
    source: {
      earlierChanges: [{ at: T0 + 2_000 }],
      changedKeys: { ...A, changed: ["b"], more: 1 },
    },
    since: T0 + 2_000,
  },
  {
    name: "more changes than are remembered",
    source: {
      changeCount: 7,
      earlierChanges: [1, 2, 3, 4].map((n) => ({ at: T0 + n * 1_000, keys: ["a"] })),
    },
    since: T0 + 1_000,
  },
  {
    name: "the change to other content is not remembered",
    running: { keys: ["a"] },
    source: {
      changeCount: 7,
      earlierChanges: [1, 2, 3, 4].map((n) => ({ at: T0 + n * 1_000, keys: ["b"] })),
    },
    since: T0,
  },
  { name: "it had not changed before", running: { changeCount: 0 }, since: T0 },
  { name: "a rollout is under way", record: { phase: "rolling" }, since: T0 + 2_000 },
  { name: "it is a CronJob", workload: { rollBy: "job" }, since: T0 + 2_000 },
  {
    name: "a record of an earlier version dates itself",
    running: { changeCount: undefined },
    record: { decidedAt: T0 + 1_000 },
    since: T0 + 2_000,
  },
  {
    name: "such a record was decided in between",
    running: { changeCount: undefined },
    record: { decidedAt: T0 + 3_000 },
    since: undefined,
  },
  {
    name: "such a record does not say when",
    running: { changeCount: undefined },
    record: { decidedAt: undefined },
    since: undefined,
  },
  { name: "the record is another workload's", record: { uid: "other" }, since: undefined },
  { name: "it is a Job", workload: { rollBy: "recreate" }, since: T0 + 2_000 },
])("since when pods may have begun with content that came and went: $name", (given) => {
  const changedAt = T0 + 5_000;
  const source = givenSource("aa", {
    changedAt,
    changedKeys: A,
    changeCount: 3,
    earlierChanges: [BEFORE, AWAY],
    ...given.source,
  });
  const running = { [CFG]: { ...(record.running[CFG] as Content), ...given.running } };
  const s = givenSituation({
    workload: { ...workload, ...given.workload },
    record: { ...record, running, ...given.record },
    sources: new Map([[CFG, source]]),
  });
  const expected =
    given.since === undefined ? undefined : { keys: [CFG], since: given.since, until: changedAt };
  expect(contentBack(s, s.record as WorkloadRecord)).toEqual(expected);
});

const BACK = givenSource("aa", {
  changeCount: 3,
  changedAt: T0 + 5_000,
  changedKeys: A,
  earlierChanges: [BEFORE, AWAY],
});

test("where such a pod is found, the workload is rolled for the content that it has", () => {
  const s = givenSituation({ workload, record, sources: new Map([[CFG, BACK]]) });
  expect(decide(s).do).toBe("keep");
  expect(decide({ ...s, mixed: [CFG] }).do).toBe("roll");
});

test("where none is found, the pods are not asked again", () => {
  const s = givenSituation({ workload, record, sources: new Map([[CFG, BACK]]) });
  const back = contentBack(s, record);
  if (back === undefined) throw new Error("nothing came back");
  const counted = withBack(record, s, back);
  expect(contentBack({ ...s, record: counted }, counted)).toBeUndefined();
});

test("a rollout for another source takes in what came back meanwhile", () => {
  const other = "ConfigMap/shop/other" as const;
  const uses = givenWorkload({
    annotations: { "rollcast.dev/auto": "true" },
    spec: {
      containers: [
        {
          name: "app",
          envFrom: ["cfg", "other"].map((name) => ({ configMapRef: { name } })),
        },
      ],
    },
  });
  const both = (cfg: SourceRecord, content: string) =>
    new Map([
      [CFG, cfg],
      [other, givenSource(content, { name: "other" })],
    ]);
  const before = givenSituation({
    workload: uses,
    sources: both(givenSource("aa", { changedAt: T0, changeCount: 1 }), "aa"),
  });
  const kept = decide(before);
  if (kept.do === "requeue") throw new Error("nothing was decided");
  const s = givenSituation({ workload: uses, record: kept.record, sources: both(BACK, "bb") });
  const rolled = decide(s);
  if (rolled.do !== "roll") throw new Error(rolled.do);
  expect(rolled.record.rollout?.wanted[CFG]).toMatchObject({ changeCount: 3 });
});

test("what a source's record counts anew is counted from there", () => {
  const counted = { ...record, running: { [CFG]: { ...record.running[CFG], changeCount: 9 } } };
  const s = givenSituation({
    workload,
    record: counted as WorkloadRecord,
    sources: new Map([[CFG, givenSource("aa")]]),
  });
  const kept = decide(s);
  if (kept.do !== "keep") throw new Error(kept.do);
  expect(kept.record.running[CFG]?.changeCount).toBe(0);
});
