import { expect, test } from "vitest";
import { CFG, T0, givenSituation, givenSource } from "../../test/given-situation.ts";
import { givenWorkload } from "../../test/given.ts";
import { decide } from "./decide.ts";
import { MARKER, contentsHash } from "../model/content.ts";
import type { Decision } from "./decision.ts";
import type { WorkloadRecord } from "../model/workload-record.ts";
import { patchedRecord } from "./applied.ts";
import { openRequest, withRequest } from "./rollout.ts";

const AUTO = { "rollcast.dev/auto": "true" };

function recordOf(decision: Decision): WorkloadRecord {
  if (decision.do === "requeue") throw new Error("no record");
  return decision.record;
}

function adopted(): WorkloadRecord {
  return recordOf(decide(givenSituation()));
}

function requested(record: WorkloadRecord, id = "request-1"): WorkloadRecord {
  const next = withRequest(record, { id, by: "ann", at: T0 });
  if (next === undefined) throw new Error("taken before");
  return next;
}

/** The record and workload after the rollout in `record` was applied. */
function patched(record: WorkloadRecord, generation: number) {
  const decision = decide(givenSituation({ record, trusted: true }));
  if (decision.do !== "roll") throw new Error(`does not roll but ${decision.do}`);
  const { rollout } = decision.record;
  const workload = givenWorkload({
    annotations: AUTO,
    templateAnnotations: { [MARKER]: rollout.marker },
    metadata: { generation },
  });
  const s = { ...givenSituation(), workload };
  return { record: patchedRecord(s, decision.record, rollout, generation), workload, rollout };
}

test("a request rolls the present content once, and the same id never again", () => {
  const wanted = requested(adopted());
  const first = patched(wanted, 2);
  expect(first.rollout).toMatchObject({ requestedBy: "ann", changed: 0 });
  expect(contentsHash(first.record.running as never)).toBe(
    contentsHash(adopted().running as never),
  );
  expect(openRequest(first.record)).toBeUndefined();
  const again = decide(givenSituation({ record: first.record, workload: first.workload }));
  expect(again.do).toBe("keep");
  expect(withRequest(first.record, { id: "request-1", by: "bob", at: T0 })).toBeUndefined();
});

test("a second request writes another marker, though the content is the same", () => {
  const first = patched(requested(adopted()), 2);
  const record = requested({ ...first.record, phase: "current" }, "request-2");
  const decision = decide(givenSituation({ record, workload: first.workload }));
  expect(decision.do).toBe("roll");
  if (decision.do !== "roll") return;
  expect(decision.record.rollout.marker).not.toBe(first.rollout.marker);
});

test("a patch whose author crashed before recording it is adopted, not repeated", () => {
  const wanted = requested(adopted());
  const pending = decide(givenSituation({ record: wanted }));
  if (pending.do !== "roll") throw new Error("does not roll");
  const workload = givenWorkload({
    annotations: AUTO,
    templateAnnotations: { [MARKER]: pending.record.rollout.marker },
    metadata: { generation: 2 },
  });
  const next = decide(givenSituation({ record: pending.record, workload }));
  expect(next).toMatchObject({ do: "keep", record: { phase: "rolling" } });
  expect(openRequest(recordOf(next))).toBeUndefined();
});

test("a request bypasses the workload's own throttle and the retry delay of a refused patch", () => {
  const slow = givenWorkload({ annotations: { ...AUTO, "rollcast.dev/min-interval": "1h" } });
  const record = { ...adopted(), history: [T0 - 1_000] };
  expect(decide(givenSituation({ record: requested(record), workload: slow })).do).toBe("roll");

  const failure = {
    wanted: contentsHash(record.running as never),
    reason: "Forbidden",
    message: "",
    generation: 1,
    attempts: 3,
    retryAt: T0 + 900_000,
  };
  const refused = requested({ ...record, phase: "failed", failure });
  expect(decide(givenSituation({ record: refused })).do).toBe("roll");
});

test("a change that is due anyway fulfils the request with the same rollout", () => {
  const changed = new Map([[CFG, givenSource("bb", { changedAt: T0 - 1_000 })]]);
  const decision = decide(givenSituation({ record: requested(adopted()), sources: changed }));
  expect(decision).toMatchObject({ do: "roll", record: { rollout: { changed: 1 } } });
  if (decision.do !== "roll") return;
  expect(decision.record.rollout.requestedBy).toBeUndefined();
});

test("if nothing is rolled, a request is not kept for later", () => {
  const decision = decide(givenSituation({ record: requested(adopted()), mode: "observe" }));
  expect(openRequest(recordOf(decision))).toBeUndefined();
});
