import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { caseOf, expectOutcome, outcomeTest } from "./outcome-test.ts";
import type { Expectation, StoryOutcome } from "./outcome-test.ts";

const RIGHT = { events: ["planned", "failed NoMarker"], pods: "unchanged" };
const WRONG = { events: ["planned", "succeeded Complete"], pods: "unchanged" };
const MARKED: Expectation = { right: RIGHT, knownToFail: WRONG };

function run(expectation: Expectation, observed: StoryOutcome) {
  const story = async (begin: () => void) => {
    begin();
    return observed;
  };
  return expectOutcome("case 3", expectation, { story });
}

test("a marked story passes by the wrong outcome of its mark", async () => {
  await expect(run(MARKED, structuredClone(WRONG))).resolves.toBeUndefined();
});

test("a marked story fails when the outcome is right, and says what to delete", async () => {
  await expect(run(MARKED, structuredClone(RIGHT))).rejects.toThrow(
    "case 3 is right now: delete its `knownToFail`, and keep the test with `right`",
  );
});

test.each<[string, StoryOutcome]>([
  ["another order of events", { ...WRONG, events: [...WRONG.events].toReversed() }],
  ["one event more", { ...WRONG, events: [...WRONG.events, "started"] }],
  ["other pods", { ...WRONG, pods: "restarted" }],
  ["a fact more", { ...WRONG, generation: 2 }],
  ["a fact less", { events: WRONG.events }],
])(
  "a marked story fails by %s, and prints what was observed and what is known",
  async (_, observed) => {
    const failed = run(MARKED, observed);
    await expect(failed).rejects.toThrow("case 3 came to a third outcome");
    await expect(failed).rejects.toThrow(`observed: ${JSON.stringify(observed, null, 2)}`);
    await expect(failed).rejects.toThrow(`known to fail: ${JSON.stringify(WRONG, null, 2)}`);
  },
);

test("a marked story that tells nothing in time fails", async () => {
  const story = (begin: () => void) => {
    begin();
    return new Promise<StoryOutcome>(() => undefined);
  };
  const failed = expectOutcome("case 3", MARKED, { story, limitMs: 20 });
  await expect(failed).rejects.toThrow("no outcome within 20 ms");
});

test("a marked story that throws fails with its error", async () => {
  const story = () => Promise.reject(new Error("the API server is gone"));
  const failed = expectOutcome("case 3", MARKED, { story });
  await expect(failed).rejects.toThrow("the API server is gone");
});

test("the preparations of a marked story do not count, what comes after does", async () => {
  const prepared = async (begin: () => void, lastsMs: number) => {
    await sleep(60);
    begin();
    await sleep(lastsMs);
    return WRONG;
  };
  const options = { limitMs: 100 };
  const quick = { story: (begin: () => void) => prepared(begin, 60), ...options };
  const slow = { story: (begin: () => void) => prepared(begin, 5_000), ...options };
  await expect(expectOutcome("case 3", MARKED, quick)).resolves.toBeUndefined();
  await expect(expectOutcome("case 3", MARKED, slow)).rejects.toThrow("no outcome within");
});

test("what a story leaves behind is disposed of after it, which does not count", async () => {
  const steps: string[] = [];
  const story = async (begin: () => void, undo: AsyncDisposableStack) => {
    undo.defer(async () => {
      await sleep(60);
      steps.push("disposed of");
    });
    begin();
    steps.push("told");
    return WRONG;
  };
  await expectOutcome("case 3", MARKED, { story, limitMs: 30 });
  expect(steps).toEqual(["told", "disposed of"]);
});

test("a marked story that does not say when it begins fails, so that none is without a limit", async () => {
  const failed = expectOutcome("case 3", MARKED, { story: async () => WRONG });
  await expect(failed).rejects.toThrow("did not say when it began");
});

test("a story without a mark passes by the right outcome, and by no other", async () => {
  await expect(run({ right: RIGHT }, structuredClone(RIGHT))).resolves.toBeUndefined();
  await expect(run({ right: RIGHT }, WRONG)).rejects.toThrow("to deeply equal");
});

test("a mark that names the right outcome is refused", () => {
  const wrong = { right: RIGHT, knownToFail: structuredClone(RIGHT) };
  expect(() => outcomeTest("a story (case 3)", wrong, async () => RIGHT)).toThrow(
    "case 3: the outcome that is known to fail is the right one",
  );
});

test("a title ends with its case", () => {
  expect(caseOf("a sentence (of words) (defect 16, case A)")).toBe("defect 16, case A");
  expect(() => caseOf("a sentence")).toThrow("does not end with its case");
});
