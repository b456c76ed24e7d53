import { describe, expect, test } from "vitest";
import { CFG, T0, decided, givenSituation, givenSource } from "../../test/given-situation.ts";
import { givenWorkload, rulesOf } from "../../test/given.ts";
import { formatRestart, restartedWith } from "../model/content.ts";
import type { Workload } from "../model/workload.ts";
import type { WorkloadRecord } from "../model/workload-record.ts";
import { patchedRecord } from "./applied.ts";
import { decide } from "./decide.ts";

const COMPLETE = { state: "complete" } as const;
const PROGRESSING = { state: "progressing" } as const;
const PAUSED = { restartsOnEdit: false } as const;

/** Its template is `templateHash`, and was edited in the second of its generation. */
function deployment(
  generation: number,
  templateHash: string,
  over: Partial<Workload> = {},
): Workload {
  const annotations = { "rollcast.dev/auto": "true" };
  const editedAt = T0 + generation * 1_000;
  const given = givenWorkload({ annotations, metadata: { generation } });
  return { ...given, editedAt, templateHash, status: PROGRESSING, ...over };
}

type Digests = Parameters<typeof formatRestart>[0];

const A = givenSource("aa");
/** Changed before any of the edits. */
const B = givenSource("bb", { changedAt: T0 - 2_000 });

describe("a template that is put back", () => {
  const rested = decided(deployment(1, "t1", { status: COMPLETE }), A);
  const released = decided(deployment(2, "t2"), B, rested);

  test("the release before it has restarted every pod, as far as anybody knows", () => {
    expect(released.phase).toBe("current");
    expect(released.running[CFG]?.digest).toBe(
      decided(deployment(2, "t2"), B).running[CFG]?.digest,
    );
  });

  test.each([
    { name: "before the release came to rest", workload: deployment(3, "t1"), phase: "pending" },
    {
      name: "with a marker that its pods do not have",
      workload: deployment(3, "t1", { marker: "another" }),
      phase: "current",
    },
    { name: "changed once more", workload: deployment(3, "t3"), phase: "current" },
    {
      name: "while its workload is paused, and restarts nothing",
      workload: deployment(3, "t1", PAUSED),
      phase: "pending",
    },
  ])("$name: the record is then $phase", ({ workload, phase }) => {
    expect(decided(workload, B, released).phase).toBe(phase);
  });

  test("after the release came to rest it restarts every pod", () => {
    const atRest = decided(deployment(2, "t2", { status: COMPLETE }), B, released);
    expect(atRest.earlier).toBeUndefined();
    expect(decided(deployment(3, "t1"), B, atRest).phase).toBe("current");
  });

  test("after several releases, none of which came to rest, it is still the first one", () => {
    const last = ["t3", "t4", "t5", "t6", "t7"].reduce(
      (record, hash, i) => decided(deployment(3 + i, hash), B, record),
      released,
    );
    expect(last.earlier).toHaveLength(4);
    expect(decided(deployment(9, "t1"), B, last).phase).toBe("pending");
  });

  test("nothing is rolled where its pods have the present content", () => {
    const unchanged = decided(deployment(2, "t2"), A, rested);
    expect(decided(deployment(3, "t1"), A, unchanged).phase).toBe("current");
  });
});

describe("in the middle of a rollout", () => {
  const first = deployment(1, "t1", { status: COMPLETE });
  const pending = decided(first, B, decided(first, A));
  const { rollout } = pending;
  if (rollout === undefined) throw new Error("not rolled");
  const { marker } = rollout;
  const rolling = patchedRecord(givenSituation({ workload: first }), pending, rollout, 2);
  const released = decided(deployment(3, "t2", { marker }), B, {
    ...decided(deployment(2, "t1", { marker }), B, rolling),
  });

  test.each([
    { name: "the marker of before", marker: undefined, phase: "pending" },
    { name: "its own marker, which only its pods have", marker, phase: "current" },
  ])("with $name the record is then $phase", ({ marker: put, phase }) => {
    expect(released.outbox.map(({ outcome }) => outcome)).toContain("superseded");
    expect(decided(deployment(4, "t1", { marker: put }), B, released).phase).toBe(phase);
  });
});

describe("a CronJob's newest Job", () => {
  const annotations = { "rollcast.dev/auto": "true" };
  const given = givenWorkload({ annotations });
  const cronJob: Workload = { ...given, kind: "CronJob", rollBy: "job", restartsOnEdit: false };
  const record = decided(cronJob, A);
  const marker = decided(cronJob, B, record).rollout?.marker;
  const at = (newestJob: object) =>
    decide(
      givenSituation({
        workload: cronJob,
        record: {
          ...record,
          last: { rollout: "r1", outcome: "succeeded", time: T0, reason: "" },
          ended: ["r1"],
        },
        sources: new Map([[CFG, B]]),
        newestJob: { marker, madeBy: "r2", createdAt: T0 + 5_000, ...newestJob },
      }),
    ).do;

  test.each([
    { name: "made since, with the present content", job: {}, does: "keep" },
    { name: "made since, with other content", job: { marker: undefined }, does: "roll" },
    { name: "made before", job: { createdAt: T0 - 5_000 }, does: "roll" },
    { name: "of a rollout that the record has", job: { madeBy: "r1" }, does: "roll" },
  ])("$name: $does", ({ job, does }) => {
    expect(at(job)).toBe(does);
  });
});

describe("a restart by its time that an older record does not know", () => {
  const time = "2026-01-10T12:00:01Z";
  const rollout: Workload = { ...deployment(1, "t1"), kind: "Rollout", rollBy: "restart" };
  const wanted = decided(rollout, B).running as Digests;
  const annotation = formatRestart(wanted, rollout.namespace, time);
  const record = decided(rollout, A);

  test.each([
    { name: "says the present content", over: { restarted: annotation }, phase: "current" },
    {
      name: "says other content",
      over: { restarted: formatRestart(record.running as Digests, rollout.namespace, time) },
      phase: "pending",
    },
    { name: "says nothing", over: {}, phase: "pending" },
    {
      name: "is older than the record",
      over: { restarted: annotation, generation: record.generation },
      phase: "pending",
    },
  ])("$name: the record is then $phase", ({ over, phase }) => {
    const restarted = { ...rollout, generation: 2, marker: time, ...over };
    expect(decided(restarted, B, record).phase).toBe(phase);
  });

  test("what the record knows counts as it says", () => {
    const recorded = decided(
      { ...rollout, generation: 2, marker: time, restarted: annotation },
      B,
      record,
    );
    const again = { ...rollout, generation: 3, marker: time, restarted: annotation };
    expect(decided(again, A, recorded).phase).toBe("pending");
  });

  test.each([
    { name: "of the present time", text: annotation, at: time, counts: true },
    { name: "of another time", text: annotation, at: "2026-01-10T12:00:02Z", counts: false },
    { name: "of no time", text: annotation, at: undefined, counts: false },
    { name: "no JSON", text: "{", at: time, counts: false },
    { name: "no object", text: "[]", at: time, counts: false },
    { name: "absent", text: undefined, at: time, counts: false },
  ])("an annotation $name counts: $counts", ({ text, at, counts }) => {
    expect(restartedWith(text, at)).toBe(counts ? text : undefined);
  });
});

test.each([
  { name: "after its source changed", marker: "2026-01-10T12:00:01Z", phase: "current" },
  { name: "before its source changed", marker: "2026-01-10T11:59:50Z", phase: "pending" },
])("a Rollout that is opted in and was restarted $name is then $phase", ({ marker, phase }) => {
  const over = { kind: "Rollout", rollBy: "restart", createdAt: T0 - 30_000 } as const;
  const rollout = { ...deployment(2, "t1", over), editedAt: undefined, marker };
  expect(decided(rollout, B).phase).toBe(phase);
});

test.each([
  { phase: "current", outcomes: [] },
  { phase: "rolling", outcomes: ["superseded"] },
] as const)("a workload of before its rollout, $phase by its record, is rolled again", (row) => {
  const record = {
    ...decided(deployment(2, "t1", { marker: "{}" }), givenSource("aa")),
    phase: row.phase,
    rollout: {
      id: "r1",
      wanted: {},
      guard: 1,
      generation: 2,
      templateHash: "t1",
      marker: "{}",
      decidedAt: T0,
    },
  } as WorkloadRecord;
  const restored = deployment(1, "t1");
  const s = givenSituation({ workload: restored, record, trusted: true });
  const decision = decide(s);
  expect(decision.do).toBe("roll");
  if (decision.do === "requeue") return;
  const outcomes = decision.record.outbox.map(({ outcome }) => outcome);
  expect(outcomes).toEqual(row.outcomes);
});

test.each([
  { name: "nobody edited it since", over: { editedAt: T0 - 60_000 }, phase: "rolling" },
  { name: "somebody did", over: { editedAt: T0 + 60_000 }, phase: "current" },
  { name: "its watch shows an edit", over: { isEditShown: true as const }, phase: "current" },
])("a patch that admission changed, and a scale followed, is ours where $name", (row) => {
  const before = decided(deployment(1, "t1"), givenSource("aa"));
  const source = givenSource("bb", { changedAt: T0 });
  const due = decided(deployment(1, "t1"), source, before);
  const { marker } = due.rollout ?? {};
  const over = { editedAt: T0 - 60_000, ...row.over, marker, ownsMarker: true as const };
  const patched = deployment(3, "t1 by admission", { ...over, status: PROGRESSING });
  expect(due.phase).toBe("pending");
  expect(decided(patched, source, due).phase).toBe(row.phase);
});

describe("a source and the template are written by one command, and the watches lag", () => {
  const ordered = (isOrdered: boolean) => (kind: string) => kind === "ConfigMap" && isOrdered;
  const first = decided(deployment(1, "t1", { status: COMPLETE }), A);
  const edited = deployment(2, "t2", { editedVersion: "20", isEditShown: true });
  // By the clock after the edit.
  const late = (resourceVersion: string) =>
    givenSource("bb", { changedAt: T0 + 2_300, resourceVersion });

  test.each([
    {
      name: "the version says before",
      source: late("19"),
      areVersionsOrdered: true,
      phase: "current",
    },
    {
      name: "the version says after",
      source: late("21"),
      areVersionsOrdered: true,
      phase: "pending",
    },
    { name: "no order was seen", source: late("19"), areVersionsOrdered: false, phase: "pending" },
    {
      name: "the edit may have an earlier version",
      source: late("19"),
      areVersionsOrdered: true,
      over: { isEditShown: undefined },
      phase: "pending",
    },
  ])("$name: the record is then $phase", ({ source, areVersionsOrdered, over = {}, phase }) => {
    const decision = decide({
      ...givenSituation({
        workload: { ...edited, ...over } as Workload,
        record: first,
        sources: new Map([[CFG, source]]),
      }),
      isOrderedWith: ordered(areVersionsOrdered),
    });
    expect(decision).toMatchObject({ record: { phase } });
  });

  test.each([
    { name: "recorded before the change", over: {}, phase: "current" },
    { name: "and it is paused", over: { restartsOnEdit: false }, phase: "pending" },
  ])("$name: the record is then $phase", ({ over, phase }) => {
    const workload = { ...edited, ...over };
    const record = decided(workload, A, first);
    const sources = new Map([[CFG, late("19")]]);
    const decision = decide({
      ...givenSituation({ workload, record, sources }),
      isOrderedWith: ordered(true),
    });
    expect(decision).toMatchObject({ record: { phase } });
  });

  test.each([
    { name: "before it", version: "19", areVersionsOrdered: true, phase: "current" },
    { name: "after it", version: "21", areVersionsOrdered: true, phase: "pending" },
    { name: "in an order of its own", version: "19", areVersionsOrdered: false, phase: "pending" },
  ])("a workload is made, and a source changed $name: $phase", (row) => {
    const made = deployment(1, "t1", { createdAt: T0, createdVersion: "20" });
    const order = { isOrderedWith: ordered(row.areVersionsOrdered) };
    const sources = new Map([[CFG, late(row.version)]]);
    const at = (record?: WorkloadRecord) =>
      decide({ ...givenSituation({ workload: made, record, sources }), ...order });
    expect(at()).toMatchObject({ record: { phase: row.phase } });
    // Adopted with the content of before.
    expect(at(decided(made, A))).toMatchObject({ record: { phase: row.phase } });
  });

  test.each([
    { name: "since they may run", changedAt: T0 - 2_000, phase: "pending" },
    { name: "before that", changedAt: T0 - 9_000, phase: "current" },
  ])("a workload is made over the pods of another, and a source changed $name: $phase", (row) => {
    const over = { createdAt: T0, podsSince: T0 - 5_000 };
    const sources = new Map([[CFG, givenSource("bb", { changedAt: row.changedAt })]]);
    const workload = deployment(1, "t1", over);
    const decision = decide({ ...givenSituation({ workload, sources }) });
    expect(decision).toMatchObject({ record: { phase: row.phase } });
  });

  test.each([
    { name: "after it", version: "21", createdAt: T0, onCreate: true, phase: "pending" },
    { name: "before it", version: "19", createdAt: T0, onCreate: true, phase: "current" },
    {
      name: "long before it, and labelled after it",
      version: "21",
      createdAt: T0 - 60_000,
      onCreate: true,
      phase: "current",
    },
    { name: "after it, which nobody asked for", version: "21", createdAt: T0, phase: "current" },
  ])("a workload is made, and a source is created $name: $phase", (row) => {
    const { createdAt, onCreate = false, version: resourceVersion } = row;
    const workload = deployment(1, "t1", { createdAt: T0, editedAt: T0, editedVersion: "20" });
    const source = givenSource("aa", { change: "created", createdAt, resourceVersion });
    const rules = { ...rulesOf(), onCreate };
    const decision = decide(givenSituation({ workload, rules, sources: new Map([[CFG, source]]) }));
    expect(decision).toMatchObject({ record: { phase: row.phase } });
  });

  test.each([
    { name: "since they may run", createdAt: T0 - 2_000, phase: "pending" },
    { name: "before that", createdAt: T0 - 9_000, phase: "current" },
  ])("over the pods of another, and a source was created $name: $phase", (row) => {
    const workload = deployment(1, "t1", { createdAt: T0, podsSince: T0 - 5_000 });
    const source = givenSource("aa", { change: "created", createdAt: row.createdAt });
    const rules = { ...rulesOf(), onCreate: true };
    const decision = decide(givenSituation({ workload, rules, sources: new Map([[CFG, source]]) }));
    expect(decision).toMatchObject({ record: { phase: row.phase } });
  });

  test.each([
    { name: "an edit", workload: edited, before: first },
    {
      name: "a creation",
      workload: deployment(1, "t1", { createdAt: T0, createdVersion: "20" }),
      before: undefined,
    },
  ])("$name of before the cluster was restored says nothing", ({ workload, before }) => {
    const record = decided({ ...workload, resourceVersion: "20" }, A, before);
    const sources = new Map([[CFG, late("15")]]);
    const restored = { ...workload, resourceVersion: "12" };
    const decision = decide({
      ...givenSituation({ workload: restored, record, sources }),
      isOrderedWith: ordered(true),
    });
    expect(decision).toMatchObject({ record: { phase: "pending" } });
  });

  test("a template that was put back has pods of before, whatever the versions say", () => {
    const release = decided(edited, A, first);
    const undone = deployment(3, "t1", { editedVersion: "30", isEditShown: true });
    const record = decided(undone, A, release);
    const sources = new Map([[CFG, late("19")]]);
    const decision = decide({
      ...givenSituation({ workload: undone, record, sources }),
      isOrderedWith: ordered(true),
    });
    expect(decision).toMatchObject({ record: { phase: "pending" } });
  });
});
