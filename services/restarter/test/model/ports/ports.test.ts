import { RetryLaterError } from "@rollcast/shared/errors";
import { z } from "zod";
import { expect, test } from "vitest";
import { createGate, idle } from "./gate.ts";
import type { Gate } from "./gate.ts";
import { createBucket } from "./bucket.ts";
import { createJobs } from "./jobs.ts";

const openGate = (): Gate => createGate({});
const closedNever = { isOn: false, areWatchesClosed: false };
const kinds = { read: "read record", write: "write record" } as const;

test("a write of a record is a compare-and-set", async () => {
  const kv = createBucket({ name: "b", outage: closedNever }).view(openGate(), z.string(), kinds);

  expect(await kv.create("k", "one")).toBe(1);
  expect(await kv.create("k", "two")).toBeUndefined();
  expect(await kv.update("k", "two", 1)).toBe(2);
  expect(await kv.update("k", "three", 1)).toBeUndefined();
  expect(await kv.get("k")).toEqual({ key: "k", value: "two", revision: 2 });
  expect(await kv.remove("k", 1)).toBe(false);
  expect(await kv.remove("k", 2)).toBe(true);
  expect(await kv.create("k", "four")).toBe(4);
});

test("a restored bucket has what it had, and its watches list it anew", async () => {
  const bucket = createBucket({ name: "b", outage: closedNever });
  const kv = bucket.view(openGate(), z.string(), kinds);
  await kv.create("k", "old");
  const backup = bucket.backup();
  const entries: (string | undefined)[] = [];
  let lists = 0;
  kv.listAndWatch({
    signal: new AbortController().signal,
    onEntry: (_key, value) => entries.push(value),
    onSynced: () => lists++,
  });
  await idle();
  await kv.update("k", "new", 1);
  bucket.deliver();
  bucket.restore(backup);
  bucket.deliver();

  expect((await kv.get("k"))?.value).toBe("old");
  expect(entries).toEqual(["old", "new", "old"]);
  expect(lists).toBe(2);
});

test.each([true, false])("an answer is lost, performed: %s", async (performed) => {
  const gate = openGate();
  const kv = createBucket({ name: "b", outage: closedNever }).view(gate, z.string(), kinds);
  gate.lose({ kind: "write record", performed, left: 1 });

  await expect(kv.create("k", "value")).rejects.toThrow("TIMEOUT");
  expect((await kv.get("k"))?.value).toBe(performed ? "value" : undefined);
});

test("a process waits before the call at which it is to stop, and goes on later", async () => {
  const gate = openGate();
  const kv = createBucket({ name: "b", outage: closedNever }).view(gate, z.string(), kinds);
  gate.open("write record");
  const writing = kv.create("k", "value");
  await idle();

  expect(gate.stopped()?.what).toBe("write b k");
  gate.open(undefined);
  expect(await writing).toBe(1);
});

test("nothing returns to a process that is killed, and nothing of it is done", async () => {
  const gate = openGate();
  const bucket = createBucket({ name: "b", outage: closedNever });
  const kv = bucket.view(gate, z.string(), kinds);
  let isOver = false;
  gate.open("write record");
  void kv.create("k", "value").finally(() => (isOver = true));
  await idle();
  gate.kill();
  await idle();

  expect(isOver).toBe(false);
  expect(bucket.entries().size).toBe(0);
});

function jobsAt(attempts: number) {
  const clock = { now: 0 };
  const backoff = { initial: 100, max: 1_000 };
  const jobs = createJobs({ queue: "q", attempts, backoff, now: () => clock.now });
  const add = (delayMs: number, wake = false) => jobs.add(openGate(), { id: "a", delayMs, wake });
  /** Runs the next job, which ends with `err`; whether it was its last attempt. */
  const runNext = async (err?: Error): Promise<boolean | undefined> => {
    const job = jobs.next(clock.now);
    if (job === undefined) return undefined;
    let last: boolean | undefined;
    await jobs.run(job, {}, async ({ lastAttempt }) => {
      last = lastAttempt;
      if (err !== undefined) throw err;
    });
    return last;
  };
  return { add, clock, jobs, runNext };
}

test("jobs of one workload are merged while they wait, from the first", async () => {
  const { add, clock, jobs, runNext } = jobsAt(1);
  await add(1_000);
  clock.now = 500;
  await add(1_000);

  expect(jobs.nextTime()).toBe(1_000);
  clock.now = 1_000;
  expect(await runNext()).toBe(true);
  expect(jobs.nextTime()).toBeUndefined();
});

test("a job that fails is tried again, up to its attempts", async () => {
  const { add, clock, jobs, runNext } = jobsAt(2);
  await add(0);

  expect(await runNext(new Error("no"))).toBe(false);
  clock.now = jobs.nextTime() ?? 0;
  expect(clock.now).toBeGreaterThan(0);
  expect(await runNext(new Error("no"))).toBe(true);
  expect(jobs.nextTime()).toBeUndefined();
});

test("a job that is to come back later uses no attempt", async () => {
  const { add, clock, jobs, runNext } = jobsAt(1);
  await add(0);
  await runNext(new RetryLaterError(700, "later"));

  expect(jobs.nextTime()).toBe(700);
  clock.now = 700;
  expect(await runNext()).toBe(true);
});

test("only a job that waits for its next attempt is woken", async () => {
  const { add, jobs, runNext } = jobsAt(3);
  await add(0);
  await runNext(new Error("no"));
  await add(5_000, true);

  expect(jobs.nextTime()).toBe(0);
});
