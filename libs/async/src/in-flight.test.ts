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
  expect(inFlight.oldestMs()).toBe(20);
  inFlight.begin();
  second();
  expect(inFlight.oldestMs()).toBe(0);
});

test("what has ended ends once", () => {
  let now = 0;
  const inFlight = createInFlight(() => now);
  const end = inFlight.begin();
  inFlight.begin();
  end();
  end();
  now = 10;
  expect(inFlight.oldestMs()).toBe(10);
});
