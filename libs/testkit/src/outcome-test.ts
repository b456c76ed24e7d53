import { isDeepStrictEqual } from "node:util";
import { expect, test } from "vitest";

type Fact = string | number | boolean | readonly string[] | undefined;

/** What a story came to, compared as a whole. */
export type StoryOutcome = {
  /** The workload's rollout events in order, each with its reason: `failed Invalid`. */
  readonly events?: readonly string[];
  /** What became of its pods. */
  readonly pods?: string;
  readonly generation?: number;
  /** What else the case is about. */
  readonly [fact: string]: Fact;
};

export type Expectation = {
  readonly right: StoryOutcome;
  /**
   * The mark: the wrong outcome that is seen today. While it stands, the test passes by seeing
   * exactly this. Whoever mends the case deletes it.
   */
  readonly knownToFail?: StoryOutcome;
};

/** How long a marked story may take from its begin. */
const LIMIT_MS = 20_000;

/**
 * Plays one case and returns what it came to. It calls `begin` when its preparations are done; what
 * it leaves to `undo` is disposed of at the end, which does not count.
 */
export type Story = (begin: () => void, undo: AsyncDisposableStack) => Promise<StoryOutcome>;

/** What is wrong with an observation under a mark, or undefined. */
export function markFault(
  name: string,
  { right, knownToFail }: Required<Expectation>,
  observed: StoryOutcome,
): string | undefined {
  if (isDeepStrictEqual(observed, knownToFail)) return undefined;
  if (isDeepStrictEqual(observed, right)) {
    return `${name} is right now: delete its \`knownToFail\`, and keep the test with \`right\``;
  }
  const print = (observation: StoryOutcome) => JSON.stringify(observation, null, 2);
  return [
    `${name} came to a third outcome, neither right nor the one that is known to fail`,
    `observed: ${print(observed)}`,
    `known to fail: ${print(knownToFail)}`,
    `right: ${print(right)}`,
  ].join("\n");
}

/** Rejects `limitMs` after the story began, and where it never did. */
async function withinLimit(
  story: Story,
  undo: AsyncDisposableStack,
  limitMs: number,
): Promise<StoryOutcome> {
  const late = Promise.withResolvers<never>();
  let timer: NodeJS.Timeout | undefined;
  const begin = () => {
    clearTimeout(timer);
    const err = new Error(`no outcome within ${limitMs} ms, so nothing was seen`);
    timer = setTimeout(() => late.reject(err), limitMs);
  };
  const running = story(begin, undo);
  // Nobody waits for it after the limit.
  running.catch(() => undefined);
  const observed = await Promise.race([running, late.promise]).finally(() => clearTimeout(timer));
  if (timer === undefined) throw new Error("the story did not say when it began");
  return observed;
}

/** Runs a story and compares what it came to. Throws where that is not what is expected of it. */
export async function expectOutcome(
  name: string,
  expectation: Expectation,
  { story, limitMs = LIMIT_MS }: { story: Story; limitMs?: number },
): Promise<void> {
  const { right, knownToFail } = expectation;
  await using undo = new AsyncDisposableStack();
  if (knownToFail === undefined) {
    expect(await story(() => undefined, undo)).toEqual(right);
    return;
  }
  const observed = await withinLimit(story, undo, limitMs);
  const fault = markFault(name, { right, knownToFail }, observed);
  if (fault !== undefined) throw new Error(fault);
}

/** The case at the end of a title, as `case 3` of `a sentence (case 3)`. */
export function caseOf(title: string): string {
  const name = /\(((?:case|defect) [^()]+)\)$/.exec(title)?.[1];
  if (name === undefined) throw new Error(`"${title}" does not end with its case: (case 3)`);
  return name;
}

/**
 * A test of one case, beside the others of its file. With `knownToFail` it passes by seeing that
 * wrong outcome within 20 s, and fails as soon as the outcome is right.
 */
export function outcomeTest(title: string, expectation: Expectation, story: Story): void {
  const name = caseOf(title);
  if (isDeepStrictEqual(expectation.right, expectation.knownToFail)) {
    throw new Error(`${name}: the outcome that is known to fail is the right one`);
  }
  const { concurrent } = test;
  concurrent(title, () => expectOutcome(name, expectation, { story }));
}
