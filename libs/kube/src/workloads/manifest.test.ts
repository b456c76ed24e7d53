import { expect, test } from "vitest";
import type { KubeObject } from "../object.ts";
import { isJobName, jobAgain, jobFrom, jobName } from "./manifest.ts";

const MARKS = { marker: { name: "rollcast.dev/config", value: "{}" }, rollout: "r1" };
const CONTROLLER = {
  "controller-uid": "u",
  "job-name": "migrate",
  "batch.kubernetes.io/controller-uid": "u",
  "batch.kubernetes.io/job-name": "migrate",
};

function job(spec: object = {}): KubeObject {
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: {
      name: "migrate",
      namespace: "shop",
      uid: "u",
      resourceVersion: "7",
      generation: 2,
      creationTimestamp: "2026-01-01T00:00:00Z",
      labels: { app: "migrate", ...CONTROLLER },
      annotations: { note: "kept" },
      ownerReferences: [{ apiVersion: "x/v1", kind: "App", name: "a", uid: "o" }],
      managedFields: [{ manager: "kubectl" }],
      finalizers: ["example.com/keep", "foregroundDeletion"],
    } as KubeObject["metadata"],
    spec: {
      backoffLimit: 3,
      selector: { matchLabels: { "batch.kubernetes.io/controller-uid": "u" } },
      template: {
        metadata: { labels: { app: "migrate", ...CONTROLLER }, annotations: { a: "b" } },
        spec: { containers: [{ name: "c" }], restartPolicy: "Never" },
      },
      ...spec,
    },
    status: { succeeded: 1 },
  };
}

test("a Job is made again without what the API server and the Job controller wrote", () => {
  expect(jobAgain(job(), MARKS)).toEqual({
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: {
      name: "migrate",
      namespace: "shop",
      labels: { app: "migrate" },
      annotations: { note: "kept", "rollcast.dev/rollout": "r1" },
      ownerReferences: [{ apiVersion: "x/v1", kind: "App", name: "a", uid: "o" }],
      finalizers: ["example.com/keep"],
    },
    spec: {
      backoffLimit: 3,
      template: {
        metadata: {
          labels: { app: "migrate" },
          annotations: { a: "b", "rollcast.dev/config": "{}" },
        },
        spec: { containers: [{ name: "c" }], restartPolicy: "Never" },
      },
    },
  });
});

test("a Job whose owner selects its pods by hand keeps selector and labels", () => {
  const selector = { matchLabels: { "job-name": "mine" } };
  const again = jobAgain(job({ manualSelector: true, selector }), MARKS);
  expect(again).toMatchObject({
    metadata: { labels: CONTROLLER },
    spec: { manualSelector: true, selector, template: { metadata: { labels: CONTROLLER } } },
  });
});

test("a CronJob's Job is its template, run by hand and owned by it", () => {
  const cronJob: KubeObject = {
    metadata: { name: "report", namespace: "shop", uid: "c", resourceVersion: "1" },
    spec: {
      schedule: "@daily",
      jobTemplate: {
        metadata: { labels: { team: "x" }, annotations: { note: "y" } },
        spec: { backoffLimit: 1, template: { spec: { containers: [] } } },
      },
    },
  };
  expect(jobFrom(cronJob, "report-0123456789", MARKS)).toEqual({
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: {
      name: "report-0123456789",
      namespace: "shop",
      labels: { team: "x" },
      annotations: {
        note: "y",
        "cronjob.kubernetes.io/instantiate": "manual",
        "rollcast.dev/rollout": "r1",
      },
      ownerReferences: [
        { apiVersion: "batch/v1", kind: "CronJob", name: "report", uid: "c", controller: true },
      ],
    },
    spec: {
      backoffLimit: 1,
      template: {
        metadata: { labels: {}, annotations: { "rollcast.dev/config": "{}" } },
        spec: { containers: [] },
      },
    },
  });
});

test.each([
  { cronJob: "report", expected: "report-0123456789" },
  { cronJob: "a".repeat(52), expected: `${"a".repeat(52)}-0123456789` },
  { cronJob: `${"a".repeat(51)}.${"b".repeat(20)}`, expected: `${"a".repeat(51)}-0123456789` },
])("the Job of $cronJob", ({ cronJob, expected }) => {
  expect(jobName(cronJob, "0123456789")).toBe(expected);
  expect(jobName(cronJob, "0123456789").length).toBeLessThanOrEqual(63);
  expect(isJobName(cronJob, expected)).toBe(true);
  expect(isJobName(`${cronJob.slice(0, 5)}x`, expected)).toBe(false);
  expect(isJobName(cronJob, `${expected}x`)).toBe(false);
});
