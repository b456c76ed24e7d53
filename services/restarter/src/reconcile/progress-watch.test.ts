import { expect, test, vi } from "vitest";
import type { Context } from "../context.ts";
import { givenWorkload } from "../../test/given.ts";
import type { Workload } from "../model/workload.ts";
import type { WorkloadRecord } from "../model/workload-record.ts";
import { startProgressWatch } from "./progress-watch.ts";

type Listener = Parameters<Context["recordCache"]["listen"]>[0];

function startWatch(workload?: Workload) {
  const listeners: ((...change: Parameters<Listener>) => void)[] = [];
  const admission = { observe: () => undefined, admissible: () => [] };
  const index = { listen: () => undefined, get: () => workload };
  const recordCache = { listen: (listener: Listener) => listeners.push(listener) };
  const ctx = { cluster: "test", admission, index, recordCache } as never;
  const enqueued: string[] = [];
  const stop = new AbortController();
  const progress = startProgressWatch(ctx, (key) => enqueued.push(key), stop.signal);
  const change = (value?: WorkloadRecord, before?: WorkloadRecord) => {
    for (const listener of listeners) listener("test.deployment.shop.web", value, before);
  };
  return { change, enqueued, progress, [Symbol.dispose]: () => stop.abort() };
}

function ended(agoMs: number): WorkloadRecord {
  const outbox = [{ outcome: "succeeded", time: Date.now() - agoMs }];
  const name = { kind: "Deployment", namespace: "shop", name: "web" };
  return { ...name, phase: "current", running: {}, history: [], outbox } as never;
}

test("an outcome that its writer did not publish for long is published by another", () => {
  using watch = startWatch();
  watch.change(ended(1_000));
  watch.progress.enqueueDue();
  expect(watch.enqueued).toEqual([]);

  watch.change(ended(31_000));
  watch.progress.enqueueDue();
  expect(watch.enqueued).toEqual(["Deployment/shop/web"]);
});

test("a workload whose record is removed is followed no more", () => {
  using watch = startWatch();
  watch.change(ended(1_000));
  expect(watch.progress.count()).toBe(1);

  watch.change(undefined, ended(1_000));
  expect(watch.progress.count()).toBe(0);
});

/** What is enqueued for a record with a request of so long ago. */
function enqueuedOf(agoMs: number, over: Partial<WorkloadRecord> = {}, isDone = false) {
  using watch = startWatch();
  vi.useFakeTimers({ toFake: ["Date"], now: 1_000_000 });
  const request = { id: "r1", by: "anna", at: Date.now() - agoMs, done: isDone };
  watch.change({ ...ended(0), outbox: [], requests: [request], ...over });
  vi.useRealTimers();
  return watch.enqueued;
}

test("a request of which its replica made no job gets one by another", () => {
  expect(enqueuedOf(1_000)).toEqual([]);
  expect(enqueuedOf(30_500)).toEqual(["Deployment/shop/web"]);
  expect(enqueuedOf(30_500, {}, true)).toEqual([]);
});

test("a request that waits in its queue is looked at now and then", () => {
  const isLookedAt = (agoMs: number) => enqueuedOf(agoMs).length > 0;
  expect([31_000, 59_000, 60_000, 61_000, 90_900].map(isLookedAt)).toEqual([
    false,
    false,
    true,
    false,
    true,
  ]);
});

test("a request that something holds back waits for that", () => {
  const due = { reason: "InvalidAnnotation", published: true };
  expect(enqueuedOf(30_500, { phase: "deferred", due })).toEqual([]);
  expect(enqueuedOf(30_500, { phase: "deferred", hold: "Suspended" })).toEqual([]);
});

test.each([
  { name: "are gone", over: {}, looks: 1 },
  { name: "are there", over: { status: { state: "progressing" } as const }, looks: 0 },
  { name: "were another's, before it was made again", over: { uid: "uid-2" }, looks: 0 },
])("pods that an ended rollout has left and that $name: $looks looks", ({ over, looks }) => {
  const workload = { ...givenWorkload(), status: { state: "complete" } as const, ...over };
  using watch = startWatch(workload);

  watch.change({ ...ended(0), outbox: [], uid: "uid-1", partial: true });

  expect(watch.enqueued).toHaveLength(looks);
});
