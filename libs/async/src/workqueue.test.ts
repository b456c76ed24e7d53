import { setImmediate as turn } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createWorkqueue } from "./workqueue.ts";

const KEY = "Deployment/shop/web";
const onFailure = () => undefined;

test("a key enqueued often while it runs, runs once more", async () => {
  const admission: (() => void)[] = [];
  await using workqueue = createWorkqueue(
    () => new Promise<void>((resolve) => admission.push(resolve)),
    { concurrency: 2, onFailure },
  );
  for (let i = 0; i < 5; i++) workqueue.enqueue(KEY);
  expect(admission).toHaveLength(1);
  workqueue.enqueue(KEY);
  workqueue.enqueue(KEY);
  admission[0]?.();
  await turn();
  expect(admission).toHaveLength(2);
  admission[1]?.();
  await workqueue.idle();
  expect(admission).toHaveLength(2);
});

/** May begin when it is told to. */
function createReadiness() {
  let opening = Promise.withResolvers<void>();
  let isReady = false;
  return {
    isReady: () => isReady,
    ready: () => opening.promise,
    open() {
      isReady = true;
      opening.resolve();
    },
    close() {
      isReady = false;
      opening = Promise.withResolvers();
    },
  };
}

test("keys wait while they may not begin, each time, and are no failures", async () => {
  const ran: string[] = [];
  const readiness = createReadiness();
  const work = (key: string) => Promise.resolve(void ran.push(key));
  await using workqueue = createWorkqueue(work, { concurrency: 1, onFailure, readiness });

  for (let gap = 1; gap <= 3; gap++) {
    readiness.close();
    workqueue.enqueue(KEY);
    workqueue.enqueue(`${KEY}-2`);
    await turn();
    expect(ran).toHaveLength(2 * (gap - 1));
    expect(workqueue.waiting()).toBe(2);
    readiness.open();
    await workqueue.idle();
    expect(ran.slice(-2)).toEqual([KEY, `${KEY}-2`]);
  }
  expect(workqueue.failing()).toEqual([]);
  expect(workqueue.waiting()).toBe(0);
});

test("what becomes unready again before the keys begin, is waited for again", async () => {
  const ran: string[] = [];
  const readiness = createReadiness();
  const work = (key: string) => Promise.resolve(void ran.push(key));
  await using workqueue = createWorkqueue(work, { concurrency: 1, onFailure, readiness });
  workqueue.enqueue(KEY);
  readiness.open();
  readiness.close();
  await turn();
  expect(ran).toEqual([]);
  readiness.open();
  await workqueue.idle();
  expect(ran).toEqual([KEY]);
});

test("disposal does not wait for it", async () => {
  const ran: string[] = [];
  const readiness = createReadiness();
  const work = (key: string) => Promise.resolve(void ran.push(key));
  const workqueue = createWorkqueue(work, { concurrency: 1, onFailure, readiness });
  workqueue.enqueue(KEY);
  await workqueue[Symbol.asyncDispose]();
  readiness.open();
  await turn();
  expect(ran).toEqual([]);
});

test("never runs more than its limit at once, and never one key twice at once", async () => {
  let now = 0;
  let most = 0;
  const held = new Set<string>();
  await using workqueue = createWorkqueue(
    async (key: string) => {
      expect(held.has(key)).toBe(false);
      held.add(key);
      most = Math.max(most, ++now);
      await turn();
      now--;
      held.delete(key);
    },
    { concurrency: 3, onFailure },
  );
  for (let i = 0; i < 200; i++) workqueue.enqueue(`Deployment/shop/web-${i % 20}`);
  await workqueue.idle();
  expect(most).toBe(3);
});

describe("what fails", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  test("is retried until it succeeds", async () => {
    let attempts = 0;
    await using workqueue = createWorkqueue(
      async () => {
        if (++attempts < 2) throw new Error("not yet");
      },
      { concurrency: 1, onFailure },
    );
    workqueue.enqueue(KEY);
    await workqueue.idle();
    expect(attempts).toBe(1);
    await vi.advanceTimersByTimeAsync(500);
    expect(attempts).toBe(2);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(attempts).toBe(2);
  });

  test("holds no place: others go on however many there are", async () => {
    const done: string[] = [];
    await using workqueue = createWorkqueue(
      async (key: string) => {
        if (key.includes("bad")) throw new Error("never");
        done.push(key);
      },
      { concurrency: 2, onFailure },
    );
    for (let i = 0; i < 50; i++) workqueue.enqueue(`Deployment/shop/bad-${i}`);
    workqueue.enqueue(KEY);
    await workqueue.idle();
    expect(done).toEqual([KEY]);
  });

  test("is not hurried by what enqueues it again", async () => {
    let attempts = 0;
    await using workqueue = createWorkqueue(
      async () => {
        attempts++;
        throw new Error("never");
      },
      { concurrency: 1, onFailure },
    );
    for (let second = 0; second < 60; second++) {
      workqueue.enqueue(KEY);
      await vi.advanceTimersByTimeAsync(1_000);
    }
    // Half to all of 0.5, 1, 2, 4, 8, 16 and 30 s between them.
    expect(attempts).toBeGreaterThan(5);
    expect(attempts).toBeLessThan(10);
  });

  test("is named once it failed three times, until it succeeds", async () => {
    let isBroken = true;
    await using workqueue = createWorkqueue(
      async () => {
        if (isBroken) throw new Error("broken");
      },
      { concurrency: 1, onFailure },
    );
    workqueue.enqueue(KEY);
    await vi.advanceTimersByTimeAsync(0);
    expect(workqueue.failing()).toEqual([]);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(workqueue.failing()).toEqual([KEY]);
    isBroken = false;
    await vi.advanceTimersByTimeAsync(30_000);
    expect(workqueue.failing()).toEqual([]);
  });

  test("ends with the disposal", async () => {
    let attempts = 0;
    const workqueue = createWorkqueue(
      async () => {
        attempts++;
        throw new Error("never");
      },
      { concurrency: 1, onFailure },
    );
    workqueue.enqueue(KEY);
    await vi.advanceTimersByTimeAsync(0);
    await workqueue[Symbol.asyncDispose]();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(attempts).toBe(1);
  });
});

test("disposal waits for running keys and drops waiting ones", async () => {
  const done: string[] = [];
  const workqueue = createWorkqueue(
    async (key: string) => {
      await turn();
      done.push(key);
    },
    { concurrency: 1, onFailure },
  );
  workqueue.enqueue("Deployment/shop/a");
  workqueue.enqueue("Deployment/shop/b");
  await workqueue[Symbol.asyncDispose]();
  expect(done).toEqual(["Deployment/shop/a"]);
});
