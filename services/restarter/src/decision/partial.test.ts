import { expect, test } from "vitest";
import { CFG, T0, decided, givenSituation, givenSource } from "../../test/given-situation.ts";
import { givenWorkload } from "../../test/given.ts";
import { WorkloadRecord } from "../model/workload-record.ts";
import type { Workload } from "../model/workload.ts";
import { patchedRecord } from "./applied.ts";
import { decide } from "./decide.ts";

const COMPLETE = { state: "complete" } as const;
const PROGRESSING = { state: "progressing" } as const;

function deployment(generation: number, over: Partial<Workload>): Workload {
  const annotations = { "rollcast.dev/auto": "true" };
  const editedAt = T0 + generation * 1_000;
  return { ...givenWorkload({ annotations, metadata: { generation } }), editedAt, ...over };
}

const A = givenSource("aa");
const B = givenSource("bb", { changedAt: T0 - 2_000 });
const C = givenSource("cc", { changedAt: T0 - 1_000 });

/** A rollout of content B was ended by content C, whose patch is decided and not made. */
function overtaken(status: Workload["status"]) {
  const first = deployment(1, { status: COMPLETE });
  const pending = decided(first, B, decided(first, A));
  const { rollout } = pending;
  if (rollout === undefined) throw new Error("not rolled");
  const record = patchedRecord(givenSituation({ workload: first }), pending, rollout, 2);
  const { marker } = rollout;
  return { marker, record: decided(deployment(2, { marker, status }), C, record) };
}

test.each([
  {
    name: "before its rollout has replaced every pod",
    status: PROGRESSING,
    content: C,
    phase: "pending",
  },
  {
    name: "before its rollout has replaced every pod, as the content goes back",
    status: PROGRESSING,
    content: B,
    phase: "pending",
  },
  { name: "at rest", status: COMPLETE, content: C, phase: "current" },
])("the marker is taken off, $name: the record is then $phase", ({ status, content, phase }) => {
  const { record } = overtaken(status);
  expect(record.phase).toBe("pending");
  const stripped = deployment(3, { marker: undefined, status: PROGRESSING });
  expect(decided(stripped, content, record).phase).toBe(phase);
});

test("what was ended early counts until the workload is at rest", () => {
  const { record, marker } = overtaken(PROGRESSING);
  expect(record.partial).toBe(true);
  const back = decided(deployment(2, { marker, status: PROGRESSING }), B, record);
  expect(back).toMatchObject({ phase: "current", partial: true });
  const rested = decided(deployment(2, { marker, status: COMPLETE }), B, back);
  expect(rested.partial).toBeUndefined();
});

test("an edit of the template replaces every pod, whatever was ended early", () => {
  const { record, marker } = overtaken(PROGRESSING);
  const edited = deployment(3, { marker, status: PROGRESSING, templateHash: "other" });
  expect(decided(edited, C, record)).toMatchObject({ phase: "current" });
  expect(decided(edited, C, record).partial).toBeUndefined();
});

test("content that has failed is failed again once nothing else waits", () => {
  const { record, marker } = overtaken(PROGRESSING);
  const { rollout: _, ...rest } = record;
  const last = { rollout: "r-1", outcome: "failed" as const, time: T0, reason: "Deadline" };
  const due = { reason: "MaxRolling", published: true };
  const waiting: WorkloadRecord = { ...rest, phase: "deferred", due, last };
  const status = { state: "failed", reason: "Deadline", message: "" } as const;
  const next = decided(deployment(2, { marker, status }), B, waiting);
  expect(next).toMatchObject({ phase: "failed", partial: true });
});

/** NATS was restored to before a rollout of content B, whose marker the workload has. */
function restored(status: Workload["status"]) {
  const { marker } = overtaken(PROGRESSING);
  const record = decided(deployment(1, { status: COMPLETE }), A);
  const marked = deployment(2, { marker, ownsMarker: true, status });
  return decided(marked, B, record);
}

test("a rollout that only its marker tells of may go on", () => {
  expect(restored(PROGRESSING)).toMatchObject({ phase: "current", partial: true });
  expect(restored(COMPLETE).partial).toBeUndefined();
});

test("a record that says the same is not written again, in whatever order it is read", () => {
  const { marker, record } = overtaken(PROGRESSING);
  const workload = deployment(2, { marker, status: PROGRESSING });
  const back = decided(workload, B, record);
  const read = WorkloadRecord.parse({ ...back, outbox: [] });
  const unchanged = givenSituation({ workload, record: read, sources: new Map([[CFG, B]]) });
  expect(decide({ ...unchanged, now: T0 + 60_000 })).toMatchObject({ do: "keep", changed: false });
});

test("a failure that the status still tells of an earlier generation is none of a rollout", () => {
  const failed = { state: "failed", reason: "Late", message: "", condition: "1" } as const;
  const unobserved = { state: "unobserved", before: failed } as const;
  const first = deployment(1, { status: COMPLETE });
  const pending = decided(first, B, decided(first, A));
  const { rollout } = pending;
  if (rollout === undefined) throw new Error("not rolled");
  const begun = (status: Workload["status"]) => {
    const workload = deployment(2, { marker: rollout.marker, status });
    const record = patchedRecord(givenSituation({ workload }), pending, rollout, 2);
    return decided({ ...workload, status: failed }, B, record).phase;
  };
  expect(begun(unobserved)).toBe("rolling");
  expect(begun({ state: "unobserved" })).toBe("failed");

  // Nor of the next one, which is decided before its controller has seen the last patch.
  const workload = deployment(2, { marker: rollout.marker, status: unobserved });
  const record = patchedRecord(givenSituation({ workload }), pending, rollout, 2);
  expect(decided(workload, C, record).rollout?.failedBefore).toBeDefined();
});
