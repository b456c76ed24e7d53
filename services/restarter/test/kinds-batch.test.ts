import type { AnyObject, Api } from "@rollcast/testkit/test-api";
import { AUTO } from "@rollcast/testkit/deployment";
import { FAILS } from "@rollcast/testkit/kwok";
import { paths } from "@rollcast/testkit/objects";
import { waitFor } from "@rollcast/testkit/wait";
import { expect, test } from "vitest";
import { faultsOf, startRestarterHarness, wordsOf } from "./harness.ts";
import { cronJob, job, pathOf } from "@rollcast/testkit/shapes";

type Owned = AnyObject & {
  metadata: AnyObject["metadata"] & { ownerReferences?: { name: string; controller?: boolean }[] };
  status: { conditions?: { type: string; status: string }[]; active?: number };
};

async function jobsOf(api: Api, namespace: string, owner: string): Promise<Owned[]> {
  const { items } = await api.get<{ items: Owned[] }>(pathOf("batch/v1", namespace, "jobs"));
  return items.filter((item) => item.metadata.ownerReferences?.[0]?.name === owner);
}

/** The uids of the Jobs that own the pods with this Job's label. */
async function ownersOfPods(api: Api, namespace: string, name: string): Promise<string[]> {
  const path = `${paths.pod(namespace)}?labelSelector=batch.kubernetes.io/job-name%3D${name}`;
  const { items } = await api.get<{ items: AnyObject[] }>(path);
  return items.map(
    ({ metadata }) => metadata.labels?.["batch.kubernetes.io/controller-uid"] ?? "nobody's",
  );
}

test("a CronJob runs one Job per content, followed to its end; none while suspended, none next to a Job that must run alone", async () => {
  await using harness = await startRestarterHarness();
  const { api, namespace } = harness;
  const crons = pathOf("batch/v1", namespace, "cronjobs");
  const jobs = pathOf("batch/v1", namespace, "jobs");
  await harness.adopt("cfg", "0");
  await api.create(crons, cronJob(namespace, "report"));
  await api.create(crons, cronJob(namespace, "asleep", { cron: { suspend: true } }));
  await api.create(
    crons,
    cronJob(namespace, "alone", { endless: true, cron: { concurrencyPolicy: "Forbid" } }),
  );
  const annotations = { "rollcast.dev/auto": "true", "rollcast.dev/cronjob": "template" };
  await api.create(crons, cronJob(namespace, "marked", { annotations }));
  const first = await harness.start();
  await harness.waitCurrent("CronJob", "report", "asleep", "alone", "marked");

  await harness.change("cfg", "1");
  await harness.waitEvent("succeeded", "report");
  const [made] = await jobsOf(api, namespace, "report");
  expect(made?.metadata.name).toMatch(/^report-[0-9a-f]{10}$/);
  expect(made?.metadata.annotations?.["cronjob.kubernetes.io/instantiate"]).toBe("manual");
  expect(made?.metadata.ownerReferences?.[0]).toMatchObject({ name: "report", controller: true });
  expect((await harness.waitEvent("succeeded", "marked")).reason).toBe("TemplateMarked");
  expect(await jobsOf(api, namespace, "marked")).toEqual([]);
  const marked = JSON.stringify(await api.get(`${crons}/marked`));
  expect(marked).toContain("rollcast.dev/config");
  expect((await harness.waitEvent("deferred", "asleep")).reason).toBe("Suspended");
  await harness.waitEvent("started", "alone");

  // While its Job runs, the next content waits for its end.
  await harness.change("cfg", "2");
  expect((await harness.waitEvent("deferred", "alone")).reason).toBe("Running");
  await harness.waitEvent("succeeded", "report", 2);
  await first.kill();
  await harness.start();
  const [running] = await jobsOf(api, namespace, "alone");
  await api.remove(`${jobs}/${running?.metadata.name ?? ""}`);
  expect((await harness.waitEvent("cancelled", "alone")).reason).toBe("JobDeleted");
  await harness.waitEvent("started", "alone", 2);
  expect(await jobsOf(api, namespace, "asleep")).toEqual([]);
  await api.patch(`${crons}/asleep`, { spec: { suspend: false } });
  await harness.waitEvent("succeeded", "asleep");

  expect(await jobsOf(api, namespace, "asleep")).toHaveLength(1);
  expect(await jobsOf(api, namespace, "report")).toHaveLength(2);
  const events = await harness.events();
  expect(wordsOf(events, "asleep")).toEqual(["deferred", "started", "succeeded"]);
  expect(faultsOf(events)).toEqual([
    `rollout ${(await harness.record("alone", "CronJob"))?.rollout?.id} has 0 ends`,
  ]);
});

test("a schedule that comes while our Job runs begins none beside it, with Forbid, or replaces it", async () => {
  await using harness = await startRestarterHarness();
  const { api, namespace } = harness;
  const crons = pathOf("batch/v1", namespace, "cronjobs");
  const running = async (name: string) =>
    (await jobsOf(api, namespace, name))
      .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
      .map(({ metadata }) => metadata.name);
  await harness.adopt("cfg", "0");
  for (const concurrencyPolicy of ["Forbid", "Replace"]) {
    const shape = { endless: true, cron: { concurrencyPolicy } };
    await api.create(crons, cronJob(namespace, concurrencyPolicy.toLowerCase(), shape));
  }
  await harness.start();
  await harness.waitCurrent("CronJob", "forbid", "replace");
  await harness.change("cfg", "1");
  const ours = new Map<string, (string | undefined)[]>();
  for (const name of ["forbid", "replace"]) {
    await harness.waitEvent("started", name);
    ours.set(name, await running(name));
    expect(ours.get(name)).toHaveLength(1);
    // Its controller looks again for a status, and then finds that a run is due.
    await api.patch(`${crons}/${name}`, { spec: { schedule: "0 * * * *" } });
    const lastScheduleTime = new Date(Date.now() - 2 * 3_600_000).toISOString();
    await api.patch(`${crons}/${name}/status`, { status: { lastScheduleTime } });
  }

  const events = `/api/v1/namespaces/${namespace}/events?fieldSelector=reason%3DJobAlreadyActive`;
  const isForbidden = async () => (await api.get<{ items: unknown[] }>(events)).items.length > 0;
  await waitFor(isForbidden, { message: "the schedule to be passed over" });
  expect(await running("forbid")).toEqual(ours.get("forbid"));
  expect((await harness.waitEvent("cancelled", "replace")).reason).toBe("JobDeleted");
  const scheduled = await waitFor(async () => (await running("replace")).at(0), {
    message: "the scheduled Job",
  });
  expect(await running("replace")).toEqual([scheduled]);
  expect(ours.get("replace")).not.toContain(scheduled);
});

test("a Job of a CronJob that its status does not list yet is waited for, with Forbid and Replace", async () => {
  await using harness = await startRestarterHarness();
  const { api, namespace } = harness;
  const crons = pathOf("batch/v1", namespace, "cronjobs");
  const jobs = pathOf("batch/v1", namespace, "jobs");
  await harness.adopt("cfg", "0");
  const names = ["forbid", "replace"];
  for (const [name, concurrencyPolicy] of [
    ["forbid", "Forbid"],
    ["replace", "Replace"],
  ] as const) {
    const shape = { endless: true, cron: { concurrencyPolicy } };
    const { metadata } = await api.create(crons, cronJob(namespace, name, shape));
    // As its controller makes it, before it writes the status.
    const run = job(namespace, `${name}-29000000`, { annotations: {}, endless: true });
    const owner = { apiVersion: "batch/v1", kind: "CronJob", name, uid: metadata.uid };
    run.metadata.ownerReferences = [{ ...owner, controller: true }];
    await api.create(jobs, run);
  }
  await harness.start();
  await harness.waitCurrent("CronJob", ...names);
  await harness.change("cfg", "1");
  for (const name of names) {
    expect((await harness.waitEvent("deferred", name)).reason).toBe("Running");
    const made = (await jobsOf(api, namespace, name)).map(({ metadata }) => metadata.name);
    expect(made).toEqual([`${name}-29000000`]);
    await api.remove(`${jobs}/${name}-29000000`);
  }
  for (const name of names) {
    await harness.waitEvent("started", name);
    expect(wordsOf(await harness.events(), name)).toEqual(["deferred", "started"]);
  }
});

test("a Job that fails ends its rollout, and that of its CronJob, with its own reason", async () => {
  await using harness = await startRestarterHarness();
  const { api, namespace } = harness;
  await harness.adopt("cfg", "0");
  const spec = { activeDeadlineSeconds: 1, backoffLimit: 0 };
  await api.create(
    pathOf("batch/v1", namespace, "cronjobs"),
    cronJob(namespace, "report", { endless: true, spec }),
  );
  const podAnnotations = { [FAILS]: "true" };
  const fails = job(namespace, "once", {
    annotations: AUTO,
    podAnnotations,
    spec: { backoffLimit: 0 },
  });
  await api.create(pathOf("batch/v1", namespace, "jobs"), fails);
  await harness.start();
  await harness.waitCurrent("CronJob", "report");
  await harness.waitCurrent("Job", "once");
  await harness.change("cfg", "1");
  expect((await harness.waitEvent("failed", "report")).reason).toBe("DeadlineExceeded");
  expect((await harness.waitEvent("failed", "once")).reason).toBe("BackoffLimitExceeded");
});

test("a Job is recreated under its name; a finished one only if its own annotation requests it; a CronJob's never", async () => {
  await using harness = await startRestarterHarness();
  const { api, namespace } = harness;
  const jobs = pathOf("batch/v1", namespace, "jobs");
  const getJob = (name: string) => api.get<Owned>(`${jobs}/${name}`);
  await harness.adopt("cfg", "0");
  const inTemplate = { annotations: {}, podAnnotations: { "rollcast.dev/auto": "true" } };
  await api.create(jobs, job(namespace, "running", { endless: true }));
  await api.create(jobs, job(namespace, "running-template", { endless: true, ...inTemplate }));
  await api.create(jobs, job(namespace, "done"));
  await api.create(jobs, job(namespace, "done-template", inTemplate));
  const named = { annotations: { "configmap.reloader.stakater.com/reload": "cfg" } };
  await api.create(jobs, job(namespace, "done-named", named));
  await api.create(jobs, job(namespace, "asleep", { endless: true, spec: { suspend: true } }));
  const owner = await api.create(
    pathOf("batch/v1", namespace, "cronjobs"),
    cronJob(namespace, "cron", { annotations: {} }),
  );
  const owned = job(namespace, "owned", { endless: true });
  const { name, uid } = owner.metadata;
  owned.metadata.ownerReferences = [
    { apiVersion: "batch/v1", kind: "CronJob", name, uid, controller: true },
  ];
  await api.create(jobs, owned);
  const names = ["running", "running-template", "done", "done-template", "done-named", "asleep"];
  for (const finished of ["done", "done-template", "done-named"]) {
    await waitFor(
      async () =>
        (await getJob(finished)).status.conditions?.some(({ type }) => type === "Complete") ===
        true,
      { message: `${finished} to be complete` },
    );
  }
  const uids = new Map<string, string | undefined>();
  for (const each of [...names, "owned"]) uids.set(each, (await getJob(each)).metadata.uid);
  for (const running of ["running", "running-template"]) {
    await waitFor(async () => (await ownersOfPods(api, namespace, running)).length > 0, {
      message: `${running} to have a pod`,
    });
  }
  await harness.start();
  await harness.waitCurrent("Job", ...names);

  await harness.change("cfg", "1");
  await harness.waitEvent("succeeded", "done");
  await harness.waitEvent("succeeded", "done-named");
  await harness.waitEvent("started", "running");
  await harness.waitEvent("started", "running-template");
  expect((await harness.waitEvent("skipped", "asleep")).reason).toBe("Suspended");

  const again: string[] = [];
  for (const [each, before] of uids)
    if ((await getJob(each)).metadata.uid !== before) again.push(each);
  expect(again).toEqual(["running", "running-template", "done", "done-named"]);
  expect(await harness.record("owned", "Job")).toBeUndefined();
  for (const each of again) {
    const record = await harness.record(each, "Job");
    expect(record?.uid, each).toBe((await getJob(each)).metadata.uid);
    expect(record?.recreate, each).toBeUndefined();
    await waitFor(
      async () => {
        const owners = await ownersOfPods(api, namespace, each);
        return owners.length > 0 && owners.every((owner) => owner === record?.uid);
      },
      { message: `${each} to have no pods but its own` },
    );
  }
  const events = await harness.events();
  expect(wordsOf(events, "done")).toEqual(["planned", "started", "succeeded"]);
  expect(wordsOf(events, "done-template")).toEqual([]);

  // Its owner deletes it, which ends the rollout.
  await api.remove(`${jobs}/running`);
  expect((await harness.waitEvent("cancelled", "running")).reason).toBe("Deleted");
});
