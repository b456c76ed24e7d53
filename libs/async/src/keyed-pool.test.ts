import { expect, test } from "vitest";
import { createKeyedPool } from "./keyed-pool.ts";

const fail = (err: unknown) => {
  throw err;
};

test("tasks of one key run one after the other, in order; others beside them", async () => {
  const pool = createKeyedPool<string>(10, fail);
  const gate = Promise.withResolvers<void>();
  const log: string[] = [];

  await pool.run("a", async () => {
    await gate.promise;
    log.push("a1");
  });
  await pool.run("a", async () => void log.push("a2"));
  await pool.run("b", async () => void log.push("b1"));
  await Promise.resolve();
  expect(pool.busy("a")).toBe(true);
  gate.resolve();
  await pool.drain();

  expect(log).toEqual(["b1", "a1", "a2"]);
  expect(pool.busy("a")).toBe(false);
});

test("what is above the limit waits to be admitted, first come first served", async () => {
  const pool = createKeyedPool<string>(2, fail);
  const gates = Array.from({ length: 4 }, () => Promise.withResolvers<void>());
  const admitted: number[] = [];
  const runs = gates.map(async (gate, i) => {
    await pool.run(`k${i}`, () => gate.promise);
    admitted.push(i);
  });
  await Promise.all(runs.slice(0, 2));
  expect(admitted).toEqual([0, 1]);
  expect([pool.size(), pool.busy("k3")]).toEqual([4, true]);

  gates[1]?.resolve();
  await runs[2];
  gates[0]?.resolve();
  await runs[3];
  expect(admitted).toEqual([0, 1, 2, 3]);
  for (const gate of gates) gate.resolve();
  await pool.drain();
});

test("a task that throws is told and holds nobody up", async () => {
  const errors: [unknown, string][] = [];
  const pool = createKeyedPool<string>(1, (err, key) => errors.push([err, key]));

  await pool.run("a", () => Promise.reject(new Error("no")));
  await pool.run("a", async () => undefined);
  await pool.drain();

  expect(errors).toMatchObject([[{ message: "no" }, "a"]]);
});

test("how long the oldest task has been admitted is known, also where it never ends", async () => {
  let now = 0;
  const pool = createKeyedPool<string>(10, fail, () => now);
  const gate = Promise.withResolvers<void>();
  await pool.run("a", () => new Promise(() => undefined));
  now = 5;
  await pool.run("b", () => gate.promise);
  now = 20;
  gate.resolve();
  await gate.promise;

  expect(pool.oldestMs()).toBe(20);
});
