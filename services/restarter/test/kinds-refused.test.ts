import { ApiError } from "@rollcast/testkit/test-api";
import { waitFor } from "@rollcast/testkit/wait";
import { expect, test } from "vitest";
import { faultsOf, startRestarterHarness, wordsOf } from "./harness.ts";
import { job, pathOf } from "@rollcast/testkit/shapes";

test("a Job that the API server refuses to recreate is kept, reported, and recreated once it is accepted", async () => {
  await using harness = await startRestarterHarness();
  const { api, namespace } = harness;
  const jobs = pathOf("batch/v1", namespace, "jobs");
  const quotas = `/api/v1/namespaces/${namespace}/resourcequotas`;
  await harness.adopt("cfg", "0");
  await api.create(jobs, job(namespace, "one"));
  await harness.start();
  await harness.waitCurrent("Job", "one");
  await api.create(quotas, {
    apiVersion: "v1",
    kind: "ResourceQuota",
    metadata: { name: "none", namespace },
    spec: { hard: { "count/jobs.batch": "0" } },
  });
  await waitFor(
    async () => {
      const probe = api.create(jobs, job(namespace, "probe", { annotations: {} }));
      const status = await probe.then(
        () => 201,
        (err: unknown) => (err instanceof ApiError ? err.status : 0),
      );
      if (status === 201) await api.remove(`${jobs}/probe`);
      return status === 403;
    },
    { message: "the quota to be in force" },
  );

  await harness.change("cfg", "1");
  expect((await harness.waitEvent("failed", "one")).message).toContain("exceeded quota");
  const kept = await harness.record("one", "Job");
  expect(JSON.parse(kept?.recreate?.manifest ?? "{}")).toMatchObject({ metadata: { name: "one" } });
  const gone = await api.get(`${jobs}/one`).catch((err: unknown) => err);
  expect(gone).toMatchObject({ status: 404 });

  await api.remove(`${quotas}/none`);
  const attempts = new Set<number | undefined>();
  await waitFor(
    async () => {
      const { phase, failure } = (await harness.record("one", "Job")) ?? {};
      if (phase === "failed") attempts.add(failure?.attempts);
      return phase !== "failed";
    },
    { message: "the Job to be made", timeout: 60_000 },
  );
  // The watch reported the deletion, which also enqueued a job: it must not try early.
  expect([...attempts]).toEqual([1]);
  const { retryAt = Number.POSITIVE_INFINITY } = kept?.failure ?? {};
  await harness.waitEvent("succeeded", "one");
  const started = (await harness.events()).find(({ type }) => type.includes("rollout.started"));
  expect(Date.parse(started?.time ?? "")).toBeGreaterThanOrEqual(retryAt);
  const record = await harness.record("one", "Job");
  expect(record?.recreate).toBeUndefined();
  expect(record?.uid).not.toBe(kept?.uid);
  const events = await harness.events();
  expect(wordsOf(events, "one")).toEqual(["planned", "failed", "started", "succeeded"]);
  expect(faultsOf(events)).toEqual([]);
});
