import { expect, test } from "vitest";
import { createInHand } from "./in-flight.ts";

test("the oldest that has not ended counts, in whatever order they end", () => {
  let now = 0;
  const hand = createInHand(() => now);
  expect(hand.oldestMs()).toBe(0);

  const first = hand.begin();
  now = 10;
  const second = hand.begin();
  now = 30;
  expect(hand.oldestMs()).toBe(30);
  first();
  expect([hand.oldestMs(), hand.count()]).toEqual([20, 1]);
  hand.begin();
  second();
  expect([hand.oldestMs(), hand.count()]).toEqual([0, 1]);
});

test("what has ended ends once", () => {
  const hand = createInHand(() => 0);
  const end = hand.begin();
  hand.begin();
  end();
  end();
  expect(hand.count()).toBe(1);
});
