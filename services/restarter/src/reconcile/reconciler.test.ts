import { createKeyedLock } from "@rollcast/async/keyed-lock";
import { setImmediate as turn } from "node:timers/promises";
import { createLogger } from "@rollcast/runtime/logger";
import { recordKey } from "@rollcast/shared/subjects";
import { expect, test } from "vitest";
import { givenWorkload, rulesOf } from "../../test/given.ts";
import { createWorkloadIndex } from "../index/workload-index.ts";
import { createReconcileQueue } from "./reconciler.ts";

const WEB = "Deployment/shop/web";
const API = "Deployment/shop/api";
const AUTO = { "reloader.stakater.com/auto": "true" };

test("what a gap of the bucket control finds under way waits for its end, and is no failure", async () => {
  const index = createWorkloadIndex(rulesOf());
  for (const name of ["web", "api"])
    index.apply(givenWorkload({ annotations: AUTO, metadata: { name } }));
  let listing = Promise.withResolvers<void>();
  let isSynced = true;
  const reads: string[] = [];
  const admission = { isSynced: () => isSynced, synced: () => listing.promise };
  const ctx = {
    cluster: "test",
    workloadLock: createKeyedLock(1_000),
    writeOrder: { shown: () => undefined, isConfirmed: () => false },
    index,
    admission,
    names: { matching: () => [] },
    annotationFaults: { unmatched: new Map(), matched: () => undefined },
    sources: { get: () => Promise.resolve(undefined) },
    records: {
      get: (key: string) => {
        reads.push(key);
        if (reads.length === 1) isSynced = false;
        // After the gap: what is decided does not matter here.
        return reads.length < 2 ? Promise.resolve(undefined) : Promise.reject(new Error("read"));
      },
    },
    logger: createLogger("test", "silent"),
  } as never;
  const requeued: string[] = [];
  const requeue = (key: string) => Promise.resolve(void requeued.push(key));
  await using workqueue = createReconcileQueue(ctx, { requeue, indexed: Promise.resolve() });
  await turn();

  workqueue.enqueue(WEB);
  await turn();
  workqueue.enqueue(API);
  await turn();
  // Nothing is tried until then, nothing waits in a job, nobody counts it as failing.
  expect(reads).toEqual([
    recordKey("test", { kind: "Deployment", namespace: "shop", name: "web" }),
  ]);
  expect(requeued).toEqual([]);

  isSynced = true;
  listing.resolve();
  listing = Promise.withResolvers();
  await workqueue.idle();
  expect(reads).toHaveLength(3);
});
