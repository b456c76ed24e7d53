import { setImmediate as turn } from "node:timers/promises";
import { createLogger } from "@rollcast/runtime/logger";
import { expect, test } from "vitest";
import { createSettler } from "./workqueue.ts";
import type { WorkloadKey } from "../model/workload.ts";

const silent = createLogger("test", "silent");
const KEY: WorkloadKey = "Deployment/shop/web";

test("asked often while it runs, it runs once more", async () => {
  const gates: (() => void)[] = [];
  await using settler = createSettler(
    () => new Promise<void>((resolve) => gates.push(resolve)),
    2,
    silent,
  );
  for (let i = 0; i < 5; i++) settler.request(KEY);
  expect(gates).toHaveLength(1);
  settler.request(KEY);
  settler.request(KEY);
  gates[0]?.();
  await turn();
  expect(gates).toHaveLength(2);
  gates[1]?.();
  await settler.idle();
  expect(gates).toHaveLength(2);
});

test("never more than its limit at once, and never twice for one key", async () => {
  let now = 0;
  let most = 0;
  const held = new Set<string>();
  await using settler = createSettler(
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
  for (let i = 0; i < 200; i++) settler.request(`Deployment/shop/web-${i % 20}`);
  await settler.idle();
  expect(most).toBe(3);
});

test("what throws is tried again until it succeeds", async () => {
  let tries = 0;
  await using settler = createSettler(
    async () => {
      if (++tries < 2) throw new Error("not yet");
    },
    1,
    silent,
  );
  settler.request(KEY);
  await settler.idle();
  expect(tries).toBe(2);
});

test("disposal waits for what runs and drops what waits", async () => {
  const done: string[] = [];
  const settler = createSettler(
    async (key) => {
      await turn();
      done.push(key);
    },
    1,
    silent,
  );
  settler.request("Deployment/shop/a");
  settler.request("Deployment/shop/b");
  await settler[Symbol.asyncDispose]();
  expect(done).toEqual(["Deployment/shop/a"]);
});
