import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { createKeyedLock } from "./keyed-lock.ts";

/** Work that ends when it is told to, and what has begun so far. */
function createWork() {
  const begun: string[] = [];
  const make = (name: string) => {
    const { promise, resolve } = Promise.withResolvers<string>();
    const work = () => {
      begun.push(name);
      return promise;
    };
    return { work, end: () => resolve(name) };
  };
  return { begun, make };
}

const settle = () => sleep(5);

test("work on one key is done in the order it came, and on another at once", async () => {
  const lock = createKeyedLock<string>(60_000);
  const { begun, make } = createWork();
  const [a, b, c] = [make("a"), make("b"), make("c")];
  const other = make("other");
  const all = [a, b, c].map(({ work }) => lock.run("key", work));
  all.push(lock.run("another key", other.work));
  await settle();
  expect(begun).toEqual(["a", "other"]);
  a.end();
  await settle();
  expect(begun).toEqual(["a", "other", "b"]);
  for (const { end } of [b, c, other]) end();
  expect(await Promise.all(all)).toEqual(["a", "b", "c", "other"]);
});

test("what takes too long holds nobody back for longer", async () => {
  const lock = createKeyedLock<string>(20);
  const { begun, make } = createWork();
  const [hung, next] = [make("hung"), make("next")];
  const first = lock.run("key", hung.work);
  const second = lock.run("key", next.work);
  await settle();
  expect(begun).toEqual(["hung"]);
  next.end();
  expect(await second).toBe("next");
  hung.end();
  expect(await first).toBe("hung");
});

test("each holds back the next one for so long, not all of them together", async () => {
  const lock = createKeyedLock<string>(60);
  const { begun, make } = createWork();
  const all = ["a", "b", "c", "d"].map((name) => ({ name, ...make(name) }));
  const runs = all.map(({ work }) => lock.run("key", work));
  for (const { name, end } of all) {
    await sleep(40);
    expect(begun.at(-1)).toBe(name);
    end();
    await settle();
  }
  expect(await Promise.all(runs)).toEqual(["a", "b", "c", "d"]);
});

test("a failure is its own work's, and the next one is done", async () => {
  const lock = createKeyedLock<string>(60_000);
  const failing = lock.run("key", () => Promise.reject(new Error("broken")));
  const next = lock.run("key", () => Promise.resolve("done"));
  await expect(failing).rejects.toThrow("broken");
  expect(await next).toBe("done");
});
