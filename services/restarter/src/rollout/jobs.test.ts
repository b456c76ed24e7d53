import { KubeError } from "@rollcast/kube/client";
import type { KubeObject } from "@rollcast/kube/object";
import { cronJob } from "@rollcast/kube/workloads/cronjob";
import { job } from "@rollcast/kube/workloads/job";
import { ROLLOUT } from "@rollcast/kube/workloads/manifest";
import { expect, test } from "vitest";
import { rulesOf } from "../../test/given.ts";
import type { Context } from "../context.ts";
import { projectWorkload } from "../index/project-workload.ts";
import { createWorkloadIndex } from "../index/workload-index.ts";
import { ConflictError } from "../reconcile/evaluate.ts";
import { runJob } from "./jobs.ts";

const rules = rulesOf();
const metadata = { name: "sync", namespace: "shop", uid: "u1", generation: 1 };
const idle: KubeObject = {
  metadata: { ...metadata, resourceVersion: "1" },
  spec: { concurrencyPolicy: "Replace", jobTemplate: { spec: { template: {} } } },
};
const busy: KubeObject = {
  ...idle,
  metadata: { ...metadata, resourceVersion: "2" },
  status: { active: [{ kind: "Job", name: "sync-29000000" }] },
};
const asleep: KubeObject = {
  ...idle,
  metadata: { ...metadata, resourceVersion: "2" },
  spec: { ...(idle.spec as object), suspend: true },
};

/** Runs the CronJob's Job where the index has `run`; the methods of the requests. */
async function runBeside(run: KubeObject | undefined, present: KubeObject) {
  const index = createWorkloadIndex(rules);
  const workload = projectWorkload(cronJob, idle, rules);
  index.apply(workload);
  if (run !== undefined) index.apply(projectWorkload(job, run, rules));
  const methods: string[] = [];
  const kube = {
    request: async ({ method }: { method: string }) => {
      methods.push(method);
      if (method === "GET") return present;
      throw new KubeError(403, "Forbidden", "no");
    },
  };
  const ctx = { index, kube, rules } as unknown as Context;
  const pending = { rollout: { id: "r1", marker: "{}", wanted: {} } } as never;
  const thrown = await runJob(ctx, cronJob, workload, pending).catch((err: unknown) => err);
  return { index, methods, thrown };
}

test.each([
  { name: "its schedule has begun one", present: busy, hold: "Running" },
  { name: "it was suspended", present: asleep, hold: "Suspended" },
])("no Job is run where $name since the decision", async ({ present, hold }) => {
  const { index, methods, thrown } = await runBeside(undefined, present);
  expect(thrown).toBeInstanceOf(ConflictError);
  expect(methods).toEqual(["GET"]);
  // So the next decision waits, whether or not the watch has shown it.
  expect(index.get("CronJob/shop/sync")?.hold).toBe(hold);
});

type Run = { owner?: string; status?: object; annotations?: Record<string, string> };

function runOf({ owner = "sync", status, annotations }: Run): KubeObject {
  const controller = { apiVersion: "batch/v1", kind: "CronJob", name: owner, controller: true };
  return {
    metadata: {
      name: "sync-29000000",
      namespace: "shop",
      uid: "j1",
      resourceVersion: "3",
      annotations,
      ownerReferences: [{ ...controller, uid: "u1" }],
    },
    spec: { template: {} },
    status,
  };
}

const COMPLETE = { conditions: [{ type: "Complete", status: "True" }] };

test.each([
  { name: "its schedule has begun", run: {}, tries: false },
  { name: "Rollcast has begun before", run: { annotations: { [ROLLOUT]: "r0" } }, tries: false },
  { name: "this rollout has begun", run: { annotations: { [ROLLOUT]: "r1" } }, tries: true },
  { name: "has ended", run: { status: COMPLETE }, tries: true },
  { name: "is another CronJob's", run: { owner: "other" }, tries: true },
])("beside a Job that $name and no status lists: one is tried: $tries", async (given) => {
  const { methods, thrown } = await runBeside(runOf(given.run), idle);
  expect(methods).toEqual(given.tries ? ["GET", "POST"] : ["GET"]);
  expect(thrown).toBeInstanceOf(given.tries ? KubeError : ConflictError);
});
