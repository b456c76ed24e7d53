import { expect, test } from "vitest";
import { CFG, T0, givenSituation, givenSource } from "../../test/given-situation.ts";
import { givenWorkload } from "../../test/given.ts";
import { UNKNOWN } from "../model/content.ts";
import type { Workload } from "../model/workload.ts";
import { advance } from "./rollout.ts";
import { advanceGone, patchedRecord } from "./applied.ts";
import { decide } from "./decide.ts";

const COMPLETE = { state: "complete" } as const;
const PROGRESSING = { state: "progressing" } as const;

/** A Deployment with this version of its template, and without our marker. */
function edited(version: string, generation: number, over: Partial<Workload> = {}): Workload {
  const workload = givenWorkload({
    annotations: { "rollcast.dev/auto": "true" },
    templateAnnotations: { version },
    metadata: { generation },
  });
  return { ...workload, ...over };
}

/** A record in mid-rollout; the Deployment was in this state when that was decided. */
function rolling(status: Workload["status"], over: Partial<Workload> = {}) {
  const workload = edited("2", 2, { status, ...over });
  const adopted = decide(givenSituation({ workload }));
  if (adopted.do !== "keep") throw new Error("not adopted");
  const sources = new Map([[CFG, givenSource("bb", { changedAt: T0 })]]);
  const decision = decide(givenSituation({ workload, record: adopted.record, sources }));
  if (decision.do !== "roll") throw new Error("not rolled");
  const { rollout } = decision.record;
  return patchedRecord(givenSituation({ workload }), decision.record, rollout, 3);
}

test.each([
  { was: "at rest", status: COMPLETE, version: "3", reason: undefined },
  { was: "at rest", status: COMPLETE, version: "2", reason: "MarkerRemoved" },
  { was: "in another rollout", status: PROGRESSING, version: "1", reason: "MarkerRemoved" },
])(
  "template $version without the marker, in mid-rollout of a workload that was $was at template 2: $reason",
  ({ status, version, reason }) => {
    const record = rolling(status);
    const next = advance(record, edited(version, 4), T0);

    const isKnown = Object.values(next.running).every(({ digest }) => digest !== UNKNOWN);
    expect(next.outbox.at(-1)?.data.reason).toBe(reason);
    expect(isKnown).toBe(reason === undefined);
  },
);

test("an edit that keeps the marker restarts every pod, whatever was under way", () => {
  const record = rolling(PROGRESSING);
  const { marker } = record.rollout;
  const present = edited("1", 4, { marker });

  expect(present.templateHash).not.toBe(record.templateHash);
  expect(advance(record, present, T0)).toBe(record);
});

test("a rollout that succeeded ends the row of markers that were taken off", () => {
  const record = rolling(COMPLETE);
  const stripped = { wanted: "content", count: 2, message: "taken off" };
  const { marker } = record.rollout;
  const present = edited("2", 3, { marker, status: COMPLETE });

  const next = advance({ ...record, stripped }, present, T0);

  expect(next.last?.outcome).toBe("succeeded");
  expect(next.stripped).toBeUndefined();
});

test.each([
  { begun: "not begun", revision: 3, status: COMPLETE, outcome: undefined },
  { begun: "begun", revision: 4, status: COMPLETE, outcome: "succeeded" },
  {
    begun: "left to its pods' owner",
    revision: 3,
    status: { ...COMPLETE, reason: "OnDelete" },
    outcome: "succeeded",
  },
])("a complete status of a rollout that is $begun: $outcome", ({ revision, status, outcome }) => {
  const record = rolling(COMPLETE);
  const rollout = { ...record.rollout, revision: 3 };
  const present = edited("2", 3, { marker: rollout.marker, revision, status });

  expect(advance({ ...record, rollout }, present, T0).last?.outcome).toBe(outcome);
});

const REFUSED = { reason: "ReplicaSetCreateError", message: "exceeded quota" };

test.each([
  { name: "before its deadline", late: -1, refused: REFUSED, event: undefined },
  { name: "what its controller could not do", late: 1, refused: REFUSED, event: "failed" },
  { name: "how far it is", late: 1, refused: undefined, event: "stalled" },
])("a late rollout says why: $name", ({ late, refused, event }) => {
  const record = rolling(COMPLETE);
  const { deadline = 0, marker } = record.rollout;
  const message = refused?.message ?? "1 of 2 replicas are ready";
  const status = { state: "unobserved", message, refused } as const;

  const { outbox } = advance(record, edited("2", 3, { marker, status }), deadline + late);
  const published = outbox.slice(record.outbox.length).at(-1);

  expect(published?.outcome).toBe(event);
  const reason = refused?.reason ?? "Deadline";
  if (event !== undefined) expect(published?.data).toMatchObject({ reason, message });
});

const MISSED = { state: "failed", reason: "ProgressDeadlineExceeded", message: "" } as const;

test.each([
  { own: undefined, after: 600_000, status: PROGRESSING, event: undefined },
  { own: undefined, after: 600_001, status: PROGRESSING, event: "stalled" },
  { own: 60_000, after: 60_001, status: PROGRESSING, event: undefined },
  { own: 60_000, after: 62_000, status: MISSED, event: "failed" },
  { own: 60_000, after: 65_001, status: PROGRESSING, event: "stalled" },
])(
  "with a deadline of its controller of $own ms, a rollout after $after ms ($status.state): $event",
  ({ own, after, status, event }) => {
    const record = rolling(COMPLETE, { deadlineMs: own });
    const { marker, startedAt = 0 } = record.rollout;
    const { outbox } = advance(record, edited("2", 3, { marker, status }), startedAt + after);
    expect(outbox.at(-1)?.outcome).toBe(event);
  },
);

test("a workload that is deleted without its pods succeeds no more, and is cancelled when it is gone", () => {
  const record = rolling(COMPLETE);
  const { marker } = record.rollout;
  const done = edited("2", 4, { marker, status: COMPLETE, templateHash: record.templateHash });
  expect(advance(record, done, T0).outbox.at(-1)?.outcome).toBe("succeeded");

  const orphaning = { ...done, orphans: true } as const;
  expect(advance(record, orphaning, T0)).toEqual(record);
  const finished = advance(record, { ...orphaning, finished: true }, T0);
  expect(finished.outbox.at(-1)?.outcome).toBe("succeeded");
  expect(advanceGone(record, orphaning, T0).outbox.at(-1)).toMatchObject({
    outcome: "cancelled",
    data: { reason: "Deleted" },
  });
});
