import { expect, test } from "vitest";
import { createInFlight } from "./in-flight.ts";

test("the oldest that has not ended counts, in whatever order they end", () => {
  let now = 0;
  const inFlight = createInFlight(() => now);
  expect(inFlight.oldestMs()).toBe(0);

  const first = inFlight.begin();
  now = 10;
  const second = inFlight.begin();
  now = 30;
  expect(inFlight.oldestMs()).toBe(30);
  first();
  expect([inFlight.oldestMs(), inFlight.count()]).toEqual([20, 1]);
  inFlight.begin();
  second();
  expect([inFlight.oldestMs(), inFlight.count()]).toEqual([0, 1]);
});

test("what has ended ends once", () => {
  const inFlight = createInFlight(() => 0);
  const end = inFlight.begin();
  inFlight.begin();
  end();
  end();
  expect(inFlight.count()).toBe(1);
});
