import { expect, test } from "vitest";
import { CFG, T0, givenSituation, givenSource } from "../../test/given-situation.ts";
import { givenWorkload } from "../../test/given.ts";
import type { WorkloadRecord } from "../model/workload-record.ts";
import type { Workload } from "../model/workload.ts";
import { patchedRecord } from "./applied.ts";
import { decide } from "./decide.ts";
import { advanceGone } from "./applied.ts";

const A = givenSource("aa");
const B = givenSource("bb", { changedAt: T0 - 1_000 });
const PLAN = { at: T0 - 500 };

function deployment(generation: number, over: Partial<Workload> = {}): Workload {
  const annotations = { "rollcast.dev/auto": "true" };
  return { ...givenWorkload({ annotations, metadata: { generation } }), editedAt: T0, ...over };
}

function decided(workload: Workload, source: typeof A, record?: WorkloadRecord): WorkloadRecord {
  const sources = new Map([[CFG, source]]);
  const decision = decide(givenSituation({ workload, record, sources, trusted: true }));
  if (decision.do === "requeue") throw new Error("not decided");
  return decision.record;
}

const PLANNED: WorkloadRecord = { ...decided(deployment(1), A), planned: PLAN };

function told({ outbox }: WorkloadRecord): (string | undefined)[] {
  return outbox.map(({ outcome, data }) => [outcome, data.reason, data.rollout].join(" "));
}

test.each([
  {
    name: "the content of before came back",
    record: decided(deployment(1), A, PLANNED),
    right: ["superseded NewerContent "],
  },
  {
    name: "an edit by others brought the content",
    record: decided(deployment(2, { templateHash: "edited" }), B, PLANNED),
    right: ["superseded TemplateChanged "],
  },
  {
    name: "the workload was made again",
    record: decided(deployment(1, { uid: "uid-2" }), A, PLANNED),
    right: ["cancelled Recreated "],
  },
  {
    name: "the workload is gone",
    record: advanceGone(PLANNED, undefined, T0),
    right: ["cancelled Deleted "],
  },
])("what was planned has an end where $name", ({ record, right }) => {
  expect(told(record)).toEqual(right);
  expect(record.planned).toBeUndefined();
});

test("a plan lasts while its content is due, and the rollout that begins takes it over", () => {
  const pending = decided(deployment(1), B, PLANNED);
  expect(pending).toMatchObject({ phase: "pending", planned: PLAN, outbox: [] });
  const { rollout } = pending;
  if (rollout === undefined) throw new Error("not rolled");
  const rolling = patchedRecord(givenSituation({ workload: deployment(1) }), pending, rollout, 2);
  expect(rolling.planned).toBeUndefined();
});

test("a plan that comes while a rollout of its content is under way ends with that", () => {
  const pending = decided(deployment(1), B, PLANNED);
  const { rollout } = pending;
  if (rollout === undefined) throw new Error("not rolled");
  const { marker } = rollout;
  const at = givenSituation({ workload: deployment(1) });
  const rolling = { ...patchedRecord(at, pending, rollout, 2), planned: PLAN };
  const status = { state: "progressing" } as const;
  const next = decided(deployment(2, { marker, status }), B, rolling);
  expect(next).toMatchObject({ phase: "rolling", outbox: [] });
  expect(next.planned).toBeUndefined();
});
