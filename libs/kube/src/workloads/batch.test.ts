import { expect, test } from "vitest";
import type { KubeObject } from "../object.ts";
import { cronJob } from "./cronjob.ts";
import { job } from "./job.ts";

function object(spec: object, status?: object): KubeObject {
  return { metadata: { name: "x", uid: "u", resourceVersion: "1" }, spec, status };
}
const ended = (type: string, more: object = {}) => ({
  conditions: [
    { type: "SuccessCriteriaMet", status: "True" },
    { type, status: "True", ...more },
  ],
});

test.each([
  {
    name: "no status",
    status: undefined,
    expected: { state: "progressing", message: "0 pods are active" },
  },
  {
    name: "running",
    status: { active: 2 },
    expected: { state: "progressing", message: "2 pods are active" },
  },
  {
    name: "about to fail",
    status: ended("FailureTarget"),
    expected: { state: "progressing", message: "0 pods are active" },
  },
  { name: "complete", status: ended("Complete"), expected: { state: "complete" } },
  {
    name: "failed",
    status: ended("Failed", { reason: "BackoffLimitExceeded", message: "too often" }),
    expected: { state: "failed", reason: "BackoffLimitExceeded", message: "too often" },
  },
])("a Job: $name", ({ status, expected }) => {
  expect(job.status(object({}, status))).toEqual(expected);
  expect(job.finished?.(object({}, status))).toBe(expected.state !== "progressing");
});

test.each([
  { name: "nothing runs", spec: { concurrencyPolicy: "Forbid" }, expected: undefined },
  { name: "one runs beside", spec: { concurrencyPolicy: "Allow" }, active: 1, expected: undefined },
  { name: "one runs alone", spec: { concurrencyPolicy: "Forbid" }, active: 1, expected: "Running" },
  {
    name: "one may be replaced",
    spec: { concurrencyPolicy: "Replace" },
    active: 1,
    expected: "Running",
  },
  { name: "nothing to replace", spec: { concurrencyPolicy: "Replace" }, expected: undefined },
  { name: "suspended", spec: { suspend: true }, active: 1, expected: "Suspended" },
])("a CronJob waits: $name", ({ spec, active = 0, expected }) => {
  const status = { active: Array.from({ length: active }, () => ({ kind: "Job" })) };
  expect(cronJob.hold?.(object(spec, status))).toBe(expected);
});

test.each([
  { name: "helm.sh/hook", value: "pre-install,pre-upgrade", expected: true },
  { name: "helm.sh/hook", value: "test", expected: true },
  { name: "helm.sh/hook", value: "", expected: true },
  { name: "argocd.argoproj.io/hook", value: "PreSync", expected: true },
  { name: "argocd.argoproj.io/hook", value: "PostSync,SyncFail", expected: true },
  { name: "argocd.argoproj.io/hook", value: "Skip", expected: true },
  { name: "helm.sh/hook-weight", value: "1", expected: false },
  { name: "argocd.argoproj.io/sync-wave", value: "1", expected: false },
])("a Job annotated $name: $value is a hook: $expected", ({ name, value, expected }) => {
  const { metadata, spec } = object({});
  expect(job.hook?.({ metadata, spec })).toBe(false);
  const annotated = { ...metadata, annotations: { [name]: value } };
  expect(job.hook?.({ metadata: annotated, spec })).toBe(expected);
});

test("a CronJob runs a Job unless it is annotated to have its template marked", () => {
  expect(cronJob.rollBy?.(object({}), {})).toBe("job");
  expect(cronJob.rollBy?.(object({}), { "rollcast.dev/cronjob": "template" })).toBe("patch");
});

test("a deadline of the Job's own is the deadline", () => {
  const spec = { activeDeadlineSeconds: 30 };
  expect(job.deadlineMs(object(spec))).toBe(30_000);
  expect(job.deadlineMs(object({}))).toBeUndefined();
  expect(cronJob.deadlineMs(object({ jobTemplate: { spec } }))).toBe(30_000);
});
