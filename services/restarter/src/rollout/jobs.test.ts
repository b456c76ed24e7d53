import type { KubeObject } from "@rollcast/kube/object";
import { cronJob } from "@rollcast/kube/workloads/cronjob";
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

test.each([
  { name: "its schedule has begun one", present: busy, hold: "Running" },
  { name: "it was suspended", present: asleep, hold: "Suspended" },
])("no Job is run where $name since the decision", async ({ present, hold }) => {
  const index = createWorkloadIndex(rules);
  const workload = projectWorkload(cronJob, idle, rules);
  index.apply(workload);
  const methods: string[] = [];
  const kube = {
    request: async ({ method }: { method: string }) => {
      methods.push(method);
      return present;
    },
  };
  const ctx = { index, kube, rules } as unknown as Context;
  const pending = { rollout: { id: "r1", marker: "{}", wanted: {} } } as never;
  await expect(runJob(ctx, cronJob, workload, pending)).rejects.toThrow(ConflictError);
  expect(methods).toEqual(["GET"]);
  // So the next decision waits, whether or not the watch has shown it.
  expect(index.get("CronJob/shop/sync")?.hold).toBe(hold);
});
