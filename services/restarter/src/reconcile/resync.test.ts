import { waitFor } from "@rollcast/testkit/wait";
import { createLogger } from "@rollcast/runtime/logger";
import { expect, test } from "vitest";
import type { Context } from "../context.ts";
import { startResync } from "./resync.ts";

const logger = createLogger("test", "silent");
const progress = { observe: () => undefined, stale: () => ({ count: 0 }) } as never;
const hanging = () => new Promise<never>(() => undefined);

function context(synced: () => Promise<void>): Context {
  const index = {
    all: () => [{ kind: "Deployment", namespace: "app", name: "web", mayRoll: true }],
  };
  const metrics = { resyncSeconds: { observe: () => undefined } };
  return {
    cluster: "test",
    logger,
    index,
    metrics,
    recordCache: { synced, list: () => [] },
  } as never;
}

test("a workload that is never reconciled does not keep the next resync from the others", async () => {
  const enqueued: string[] = [];
  const workqueue = { enqueue: (key: string) => enqueued.push(key), idle: hanging } as never;
  await using resync = startResync(
    context(async () => undefined),
    workqueue,
    progress,
    20,
  );

  await waitFor(() => enqueued.length > 2);
  expect(resync.inFlightMs()).toBe(0);
});

test("a stalled resync is detected by its age", async () => {
  const workqueue = { enqueue: () => undefined, idle: async () => undefined } as never;
  const resync = startResync(context(hanging), workqueue, progress, 20);

  const isStalled = await waitFor(() => resync.inFlightMs() > 50);
  expect(isStalled).toBe(true);
});
