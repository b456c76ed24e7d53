import { setImmediate as turn } from "node:timers/promises";
import { createLogger } from "@rollcast/runtime/logger";
import { expect, test } from "vitest";
import { createWorkqueue } from "./workqueue.ts";
import type { WorkloadKey } from "../model/workload.ts";

const silent = createLogger("test", "silent");
const KEY: WorkloadKey = "Deployment/shop/web";

test("a key enqueued often while it runs, runs once more", async () => {
  const admission: (() => void)[] = [];
  await using workqueue = createWorkqueue(
    () => new Promise<void>((resolve) => admission.push(resolve)),
    2,
    silent,
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

test("never runs more than its limit at once, and never one key twice at once", async () => {
  let now = 0;
  let most = 0;
  const held = new Set<string>();
  await using workqueue = createWorkqueue(
    async (key) => {
      expect(held.has(key)).toBe(false);
      held.add(key);
      most = Math.max(most, ++now);
      await turn();
      now--;
      held.delete(key);
    },
    3,
    silent,
  );
  for (let i = 0; i < 200; i++) workqueue.enqueue(`Deployment/shop/web-${i % 20}`);
  await workqueue.idle();
  expect(most).toBe(3);
});

test("a failing key is retried until it succeeds", async () => {
  let attempts = 0;
  await using workqueue = createWorkqueue(
    async () => {
      if (++attempts < 2) throw new Error("not yet");
    },
    1,
    silent,
  );
  workqueue.enqueue(KEY);
  await workqueue.idle();
  expect(attempts).toBe(2);
});

test("disposal waits for running keys and drops waiting ones", async () => {
  const done: string[] = [];
  const workqueue = createWorkqueue(
    async (key) => {
      await turn();
      done.push(key);
    },
    1,
    silent,
  );
  workqueue.enqueue("Deployment/shop/a");
  workqueue.enqueue("Deployment/shop/b");
  await workqueue[Symbol.asyncDispose]();
  expect(done).toEqual(["Deployment/shop/a"]);
});
