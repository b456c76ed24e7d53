import { expect, test } from "vitest";
import { mapLimit } from "./map-limit.ts";

test("results are in the order of the items, whichever ends first", async () => {
  const gates = Array.from({ length: 3 }, () => Promise.withResolvers<void>());
  const mapping = mapLimit(gates.entries(), 3, async ([i, { promise }]) => {
    await promise;
    return `r${i}`;
  });
  for (const gate of gates.toReversed()) gate.resolve();

  expect(await mapping).toEqual(["r0", "r1", "r2"]);
  expect(await mapLimit([], 3, async () => 1)).toEqual([]);
});

test("at most so many run at once, and an item is taken when there is room for it", async () => {
  let [taken, ended, running, most] = [0, 0, 0, 0];
  let ahead = 0;
  function* items() {
    while (taken < 20) {
      ahead = Math.max(ahead, ++taken - ended);
      yield taken;
    }
  }
  await mapLimit(items(), 3, async () => {
    most = Math.max(most, ++running);
    await new Promise(setImmediate);
    running--;
    ended++;
  });

  expect([most, ended, ahead]).toEqual([3, 20, 4]);
});

test("the first error is thrown when what is under way has ended, and the rest is not begun", async () => {
  const gate = Promise.withResolvers<void>();
  const begun: number[] = [];
  let thrown: unknown;
  const mapping = mapLimit([0, 1, 2, 3, 4], 2, async (i) => {
    begun.push(i);
    if (i === 1) throw new Error("first");
    await gate.promise;
    throw new Error("second");
  }).catch((err: unknown) => {
    thrown = err;
  });
  await new Promise(setImmediate);
  expect(thrown).toBeUndefined();
  gate.resolve();
  await mapping;

  expect(thrown).toMatchObject({ message: "first" });
  expect(begun).toEqual([0, 1]);
});
