import { KubeError } from "@rollcast/kube/client";
import type { KubeObject } from "@rollcast/kube/object";
import { cronJob } from "@rollcast/kube/workloads/cronjob";
import { expect, test } from "vitest";
import type { Context } from "../context.ts";
import { addActive } from "./active-job.ts";

const OTHER = { kind: "Job", name: "sync-29000000", uid: "j0" };
const OURS = {
  apiVersion: "batch/v1",
  kind: "Job",
  name: "sync-0123456789",
  namespace: "shop",
  uid: "j1",
  resourceVersion: "7",
};
const { name, namespace, uid, resourceVersion } = OURS;
const made: KubeObject = { metadata: { name, namespace, uid, resourceVersion } };

function cronJobWith(version: string, status?: object): KubeObject {
  const metadata = { name: "sync", namespace: "shop", uid: "u1", resourceVersion: version };
  return { metadata, spec: {}, ...(status === undefined ? {} : { status }) };
}

/** Adds our Job to a CronJob; each patch gets one of the answers, and a read shows `later`. */
async function add(decidedOn: KubeObject, answers: readonly number[], later = decidedOn) {
  const patches: unknown[] = [];
  const warnings: string[] = [];
  const kube = {
    request: async ({ method, body }: { method: string; body?: unknown }) => {
      if (method === "GET") return later;
      const status = answers[patches.push(body) - 1] ?? 200;
      if (status !== 200) throw new KubeError(status, "Refused", "no");
      return undefined;
    },
  };
  const logger = { warn: (_: object, message: string) => warnings.push(message) };
  await addActive({ kube, logger } as unknown as Context, cronJob, decidedOn, made);
  return { patches, warnings };
}

const patchOf = (version: string, active: object[]) => ({
  metadata: { uid: "u1", resourceVersion: version },
  status: { active },
});

test.each([
  { name: "no status yet", status: undefined, active: [OURS] },
  { name: "none active", status: { lastScheduleTime: "x" }, active: [OURS] },
  { name: "another one active", status: { active: [OTHER] }, active: [OTHER, OURS] },
])("our Job is added to those of a CronJob with $name", async ({ status, active }) => {
  const { patches, warnings } = await add(cronJobWith("1", status), []);
  expect(patches).toEqual([patchOf("1", active)]);
  expect(warnings).toEqual([]);
});

test("our Job is added once", async () => {
  expect((await add(cronJobWith("1", { active: [OURS] }), [])).patches).toEqual([]);
});

test("what the controller has written meanwhile stays", async () => {
  const later = cronJobWith("2", { active: [OTHER] });
  const { patches, warnings } = await add(cronJobWith("1"), [409], later);
  expect(patches).toEqual([patchOf("1", [OURS]), patchOf("2", [OTHER, OURS])]);
  expect(warnings).toEqual([]);
});

test.each([
  { name: "refused", answers: [403], tries: 1 },
  { name: "always late", answers: [409, 409, 409, 409, 409], tries: 5 },
  { name: "without an answer", answers: [0], tries: 1 },
])("a patch that is $name is said, and the Job runs", async ({ answers, tries }) => {
  const { patches, warnings } = await add(cronJobWith("1"), answers);
  expect(patches).toHaveLength(tries);
  expect(warnings).toHaveLength(1);
});
