import { createKeyedLock } from "@rollcast/async/keyed-lock";
import { KubeError } from "@rollcast/kube/client";
import { deployment } from "@rollcast/kube/workloads/deployment";
import { job } from "@rollcast/kube/workloads/job";
import { expect, test } from "vitest";
import { givenWorkload, rulesOf } from "../../test/given.ts";
import type { Context } from "../context.ts";
import { createWorkloadIndex } from "../index/workload-index.ts";
import type { WorkloadIndex } from "../index/index-types.ts";
import type { WorkloadRecord } from "../model/workload-record.ts";
import { readWorkload } from "./evaluate.ts";
import { reconcile } from "./reconcile.ts";

/** A reconciliation's view of a cluster without such an object; `onRequest`: before it says so. */
function contextWith(index: WorkloadIndex, onRequest: () => void): Context {
  const kube = {
    request: async () => {
      onRequest();
      throw new KubeError(404, "NotFound", "not found");
    },
  };
  const kinds = new Map([deployment, job].map((kind) => [kind.kind, kind]));
  const metrics = { recordConflicts: { inc: () => undefined } };
  const workloadLock = createKeyedLock(1_000);
  const writeOrder = { isConfirmed: () => false };
  const parts = { index, kinds, kube, rules: rulesOf(), metrics, workloadLock, writeOrder };
  return { cluster: "test", ...parts } as never;
}

/** The Deployment as the watch shows it. */
function shown(uid: string, resourceVersion: string) {
  return { ...givenWorkload(), uid, resourceVersion };
}

const WEB = "Deployment/shop/web";

test("a workload that is not found is forgotten", async () => {
  const index = createWorkloadIndex(rulesOf());
  index.apply(shown("first", "1"));

  expect(
    await readWorkload(
      contextWith(index, () => undefined),
      WEB,
    ),
  ).toBeUndefined();
  expect(index.get(WEB)).toBeUndefined();
});

test("a workload that is made again before it is heard that it was not found is not forgotten", async () => {
  const index = createWorkloadIndex(rulesOf());
  index.apply(shown("first", "1"));
  const makeAgain = () => index.handler("Deployment").upsert(shown("second", "2"), "watch");

  expect(await readWorkload(contextWith(index, makeAgain), WEB)).toMatchObject({ uid: "second" });
  expect(index.get(WEB)).toMatchObject({ uid: "second" });
});

test("a Job that is made again by another replica while it is looked for is not gone", async () => {
  const ref = { kind: "Job", namespace: "shop", name: "migrate" };
  const rollout = { id: "rollout-1", wanted: {}, decidedAt: Date.now() };
  const deleted = { ...ref, uid: "first", phase: "pending", rollout, outbox: [] };
  const kept = { ...deleted, recreate: { manifest: "{}", rollout } };
  const made = { ...deleted, uid: "second", phase: "rolling" };
  let entry = { value: kept as unknown as WorkloadRecord, revision: 1 };
  const ctx = contextWith(createWorkloadIndex(rulesOf()), () => {
    entry = { value: made as unknown as WorkloadRecord, revision: 2 };
  });
  const changes: string[] = [];
  const records = {
    get: async () => ({ key: "test.job", ...entry }),
    // Somebody else is always faster: each try counts.
    update: async () => void changes.push("updated"),
    remove: async () => changes.push("removed") < 0,
  };

  await reconcile({ ...ctx, records: records as never }, "Job/shop/migrate");

  expect(changes).toEqual([]);
});
