import { expect, test } from "vitest";
import { CFG, T0, decided, givenSituation, givenSource } from "../../test/given-situation.ts";
import { givenWorkload } from "../../test/given.ts";
import type { WorkloadRecord } from "../model/workload-record.ts";
import type { Workload } from "../model/workload.ts";
import { contentBack } from "./content-back.ts";
import { decide } from "./decide.ts";

const workload = givenWorkload({ annotations: { "rollcast.dev/auto": "true" } });
/** Decided at {@link T0}. */
const record = decided(workload, givenSource("aa"));
const CHANGED = { added: [], changed: ["a"], removed: [] };

test.each<{
  name: string;
  record?: Partial<WorkloadRecord>;
  workload?: Partial<Workload>;
  changedAt?: number;
  content?: string;
  changedKeys?: typeof CHANGED | undefined;
  since: number | undefined;
}>([
  { name: "it changed since, into what it was", since: T0 },
  { name: "it changed before", changedAt: T0, since: undefined },
  { name: "it has other content", content: "bb", since: undefined },
  { name: "nobody knows which keys changed", changedKeys: undefined, since: undefined },
  { name: "a change of before waits", record: { staleSince: T0 - 500 }, since: T0 - 500 },
  { name: "a rollout is under way", record: { phase: "rolling" }, since: undefined },
  { name: "the record is another workload's", record: { uid: "other" }, since: undefined },
  { name: "the record does not say when", record: { decidedAt: undefined }, since: undefined },
  { name: "it is a Job", workload: { rollBy: "recreate" }, since: undefined },
  { name: "it is a CronJob", workload: { rollBy: "job" }, since: undefined },
])("since when pods may have begun with content that came and went: $name", (given) => {
  const { changedAt = T0 + 5_000, content = "aa" } = given;
  const changedKeys = "changedKeys" in given ? given.changedKeys : CHANGED;
  const source = givenSource(content, { changedAt, ...(changedKeys && { changedKeys }) });
  const s = givenSituation({
    workload: { ...workload, ...given.workload },
    record: { ...record, ...given.record },
    sources: new Map([[CFG, source]]),
  });
  const expected =
    given.since === undefined ? undefined : { keys: [CFG], since: given.since, until: changedAt };
  const present = decided(workload, givenSource(content));
  expect(contentBack(s, present)).toEqual(expected);
});

test("where such a pod is found, the workload is rolled for the content that it has", () => {
  const source = givenSource("aa", { changedAt: T0 + 5_000, changedKeys: CHANGED });
  const s = givenSituation({ workload, record, sources: new Map([[CFG, source]]) });
  expect(decide(s).do).toBe("keep");
  expect(decide({ ...s, mixed: [CFG] }).do).toBe("roll");
});

test("a change that a clock ahead of ours has dated is known to the record that it led to", () => {
  const source = givenSource("bb", { changedAt: T0 + 60_000, changedKeys: CHANGED });
  const rolled = decided(workload, source);
  const s = givenSituation({ workload, record: rolled, sources: new Map([[CFG, source]]) });
  expect(rolled.decidedAt).toBe(T0 + 60_000);
  expect(contentBack(s, rolled)).toBeUndefined();
});
