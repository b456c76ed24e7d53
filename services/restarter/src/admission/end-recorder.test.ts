import { expect, test } from "vitest";
import { withFailure } from "../decision/blocking-gate.ts";
import { emptyState, withFailures } from "../model/control-entry.ts";
import type { Change, QueueState } from "../model/control-entry.ts";
import { withEnd, withHalt } from "./end-recorder.ts";

const A: Change = { source: "ConfigMap/shop/a", id: "a1" };
const B: Change = { source: "Secret/shop/b", id: "b1" };

type Step = { readonly fails: readonly Change[]; readonly haltAfter?: number } | "resume";

/** The `halted` events of the queue after these failures, each of another rollout. */
function haltsAfter(steps: readonly Step[]) {
  let state: QueueState = emptyState("default");
  for (const [now, step] of steps.entries()) {
    if (step === "resume") {
      state = { ...state, failures: [] };
      continue;
    }
    const failed = { cluster: "prod", changes: step.fails, haltAfter: step.haltAfter ?? 2, now };
    const failures = [...withFailure(state.failures, step.fails, `rollout ${now}`)];
    state = withHalt(state, { ...state, failures }, failed);
    // The same end once more, of a replica that was killed before it had heard of its write.
    expect(withHalt(state, state, failed)).toBe(state);
  }
  return (state.outbox ?? []).map(({ time, data }) => [time, "failed" in data && data.failed]);
}

test.each<[string, Step[], [number, number][]]>([
  ["once, when so many have failed", [{ fails: [A] }, { fails: [A] }, { fails: [A] }], [[1, 2]]],
  ["not for failures of other changes", [{ fails: [A] }, { fails: [B] }], []],
  [
    "again when it was resumed and they fail again",
    [{ fails: [A] }, { fails: [A] }, "resume", { fails: [A] }, { fails: [A] }],
    [
      [1, 2],
      [4, 2],
    ],
  ],
  [
    "for both changes together with failures of each alone, and not again for one of them",
    [{ fails: [A] }, { fails: [B] }, { fails: [A, B] }, { fails: [B, A] }],
    [[2, 3]],
  ],
  [
    "where fewer are enough than before",
    [{ fails: [A], haltAfter: 9 }, { fails: [A], haltAfter: 9 }, { fails: [A] }],
    [[2, 3]],
  ],
])("a halt is published %s", (_, steps, halts) => {
  expect(haltsAfter(steps)).toEqual(halts);
});

test("a halt names its sources", () => {
  const state = { ...emptyState("slow"), failures: [{ changes: [A, B], rollouts: ["r"] }] };
  const failed = { cluster: "prod", changes: [A, B], haltAfter: 1, now: 5 };
  expect(withHalt(emptyState("slow"), state, failed).outbox).toEqual([
    {
      id: expect.any(String),
      time: 5,
      domain: "queue",
      outcome: "halted",
      data: {
        queue: "slow",
        by: "rollcast",
        failed: 1,
        sources: [
          { kind: "ConfigMap", namespace: "shop", name: "a" },
          { kind: "Secret", namespace: "shop", name: "b" },
        ],
      },
    },
  ]);
});

const END = { key: "Deployment/shop/web", rollout: "r1", releasesQuota: true };
const FAILED = { ...END, failedChanges: [A] };

test.each<[string, (state: QueueState) => QueueState]>([
  ["counts", (state) => state],
  ["was resumed", (state) => withFailures(state, [])],
  ["has succeeded", (state) => withEnd(state, { ...END, clearsFailure: true })],
])("a failure that is published again where it %s counts as before", (_, since) => {
  const state = since(withEnd(emptyState("default"), FAILED));
  expect(withEnd(state, FAILED)).toBe(state);
  // Another rollout of the change counts anew.
  const other = withEnd(state, { ...FAILED, rollout: "r2" });
  const before = state.failures.flatMap(({ rollouts }) => rollouts);
  expect(other.failures).toEqual([{ changes: [A], rollouts: [...before, "r2"] }]);
});
