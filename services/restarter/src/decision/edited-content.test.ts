import { expect, test } from "vitest";
import { CFG, T0, decided, givenSource } from "../../test/given-situation.ts";
import { givenWorkload } from "../../test/given.ts";
import type { Workload } from "../model/workload.ts";
import { beganAfter } from "./edited-content.ts";

const annotations = { "rollcast.dev/auto": "true" };

/** Its template was edited at {@link T0} + 60 s, by what a list says. */
function edited(over: Partial<Workload> = {}): Workload {
  const given = givenWorkload({ annotations, metadata: { generation: 2 } });
  return { ...given, editedAt: T0 + 60_000, templateHash: "t2", ...over };
}

const before = { ...givenWorkload({ annotations }), templateHash: "t1" };
/** Decided at {@link T0}. */
const record = decided(before, givenSource("aa"));
const CHANGED = T0 + 30_000;

test.each<{
  name: string;
  workload?: Partial<Workload>;
  changedAt?: number;
  isNew?: true;
  installedAt?: number;
  after: number | undefined;
}>([
  { name: "a source changed between the record and the edit", after: T0 },
  { name: "it changed in the millisecond of the record", changedAt: T0, after: T0 },
  { name: "it changed before the record", changedAt: T0 - 1, after: undefined },
  { name: "it changed after the edit", changedAt: T0 + 60_000, after: undefined },
  { name: "the watch showed the edit", workload: { isEditShown: true }, after: undefined },
  { name: "nothing says when it was edited", workload: { editedAt: undefined }, after: undefined },
  { name: "its edits restart nothing", workload: { restartsOnEdit: false }, after: undefined },
  { name: "it is a CronJob", workload: { rollBy: "job" }, after: undefined },
  { name: "it is a Job", workload: { rollBy: "recreate" }, after: undefined },
  {
    name: "it was made before the source changed",
    workload: { createdAt: T0 + 10_000 },
    isNew: true,
    after: T0 + 10_000,
  },
  {
    name: "it was made after the source changed",
    workload: { createdAt: T0 + 40_000 },
    isNew: true,
    after: undefined,
  },
  {
    name: "it was there before Rollcast",
    workload: { createdAt: T0 + 10_000 },
    isNew: true,
    installedAt: T0 + 10_000,
    after: undefined,
  },
])("since when its pods may run matters: $name", (given) => {
  const workload = edited(given.workload);
  const source = givenSource("bb", { changedAt: given.changedAt ?? CHANGED });
  const s = {
    workload,
    record: given.isNew === true ? undefined : record,
    sources: new Map([[CFG, source]]),
    installedAt: given.installedAt ?? T0 - 60_000,
  };
  expect(beganAfter(s)).toBe(given.after);
});
