import { eventOutcome } from "@rollcast/shared/events";
import type { RolloutEvent } from "@rollcast/shared/events";
import type { AnyObject } from "@rollcast/testkit/test-api";
import { NEVER_READY } from "@rollcast/testkit/kwok";
import { paths, waitRolledOut } from "@rollcast/testkit/objects";
import { deployment } from "@rollcast/testkit/deployment";
import { addPolicy } from "@rollcast/testkit/admission-policy";
import { waitFor } from "@rollcast/testkit/wait";
import { expect, test } from "vitest";
import { faultsOf, startRestarterHarness, wordsOf } from "./harness.ts";
import type { RestarterHarness } from "./harness.ts";

const USES = [{ as: "envFrom", configMap: "cfg" }] as const;

async function waitWord(harness: RestarterHarness, outcome: string, name: string) {
  return waitFor(
    async () =>
      (await harness.events()).find(
        (event) =>
          eventOutcome(event.type).outcome === outcome && event.subject?.endsWith(`/${name}`),
      ) as RolloutEvent | undefined,
    { message: `${outcome} of ${name}`, timeout: 60_000, every: 100 },
  ).catch(async (err: unknown) => {
    const words = wordsOf(await harness.events(), name).join(", ");
    const record = JSON.stringify(await harness.record(name));
    throw new Error(`no ${outcome} of ${name} but ${words}; ${record}`, { cause: err });
  });
}

type Status = {
  status?: { observedGeneration?: number; conditions?: { type: string; reason: string }[] };
};

/**
 * How the rollout of a Deployment without room for a new pod ends: it fails with the cluster's own
 * reason, or stays `stalled`. Its controller may lose the race for its write of
 * `NewReplicaSetCreated`: it does not write that again, and a Deployment that was complete before
 * is never over its time limit then.
 */
async function endOfCrowded(harness: RestarterHarness, name: string): Promise<string> {
  const isLost = async () => {
    const { metadata, status = {} } = (await harness.get(name)) as AnyObject & Status;
    const progressing = status.conditions?.find(({ type }) => type === "Progressing");
    const isObserved = status.observedGeneration === metadata.generation;
    return isObserved && progressing?.reason === "NewReplicaSetAvailable";
  };
  const end = await waitFor(
    async () => {
      const words = wordsOf(await harness.events(), name);
      if (words.includes("failed")) return "failed";
      return words.includes("stalled") && (await isLost()) ? "stalled" : undefined;
    },
    { message: `the end of ${name}`, timeout: 60_000, every: 100 },
  ).catch(async (err: unknown) => {
    const words = wordsOf(await harness.events(), name).join(", ");
    const status = JSON.stringify(await harness.get(name));
    throw new Error(`${name} has no end but ${words}; ${status}`, { cause: err });
  });
  if (end === "stalled") return end;
  const { reason, message } = (await waitWord(harness, "failed", name)).data;
  expect(reason).toBe("ProgressDeadlineExceeded");
  expect(message).toContain("exceeded quota");
  return end;
}

/** Rejects every change of a Deployment's pod template in the namespace while it exists. */
async function refuseTemplates(harness: RestarterHarness): Promise<AsyncDisposable> {
  const expression =
    "object.metadata.name != 'refused' || object.spec.template == oldObject.spec.template";
  const policy = await addPolicy(harness.api, {
    kind: "ValidatingAdmissionPolicy",
    name: `refuse-${harness.namespace}`,
    namespace: harness.namespace,
    operations: ["UPDATE"],
    spec: { validations: [{ expression, message: "templates are frozen by the platform team" }] },
    binding: { validationActions: ["Deny"] },
  });
  await harness.deploy("refused", { uses: USES });
  // A policy is enforced with a short delay.
  const probe = { spec: { template: { metadata: { annotations: { probe: "x" } } } } };
  await waitFor(
    async () => {
      const { resourceVersion } = (await harness.get("refused")).metadata;
      const tried = harness.api.call({
        method: "PATCH",
        path: `${paths.deployment(harness.namespace, "refused")}?dryRun=All`,
        body: { ...probe, metadata: { resourceVersion } },
        contentType: "application/merge-patch+json",
      });
      return tried.then(
        () => false,
        (err: unknown) => String(err).includes("frozen by the platform team"),
      );
    },
    { message: "the policy to be enforced" },
  );
  return policy;
}

test("rollouts that cannot finish fail with the cluster's own reason, the others continue", async () => {
  await using harness = await startRestarterHarness();
  const { api, namespace } = harness;
  await harness.adopt("cfg", "0");
  await using policy = await refuseTemplates(harness);
  await harness.deploy("good", { uses: USES, replicas: 0 });
  await harness.deploy("crowded", { uses: USES, progressDeadlineSeconds: 3 });
  await harness.deploy("never", {
    uses: USES,
    podAnnotations: { [NEVER_READY]: "true" },
    progressDeadlineSeconds: 3,
  });
  for (const name of ["good", "crowded", "refused"]) await waitRolledOut(api, namespace, name);
  await harness.start();
  await harness.waitAll(["good", "crowded", "never", "refused"]);
  // The namespace's pod quota is used up; `good` needs no pods.
  await api.create(`/api/v1/namespaces/${namespace}/resourcequotas`, {
    apiVersion: "v1",
    kind: "ResourceQuota",
    metadata: { name: "full" },
    spec: { hard: { pods: "3" } },
  });
  await waitFor(
    async () => {
      const quota = await api.get<{ status?: { used?: { pods?: string } } }>(
        `/api/v1/namespaces/${namespace}/resourcequotas/full`,
      );
      return quota.status?.used?.pods === "3";
    },
    { message: "the quota to be counted" },
  );

  await harness.change("cfg", "1");
  expect((await waitWord(harness, "succeeded", "good")).data).toMatchObject({
    reason: "ScaledToZero",
  });
  const crowded = await endOfCrowded(harness, "crowded");
  const never = (await waitWord(harness, "failed", "never")).data;
  expect(never.reason).toBe("ProgressDeadlineExceeded");
  expect(never.message).toMatch(/exceeded quota.*\. never-\w+-\w+ is not ready$/);
  // Its controller's verdict is waited for.
  expect(wordsOf(await harness.events(), "never")).toEqual(["planned", "started", "failed"]);
  const refused = (await waitWord(harness, "failed", "refused")).data;
  expect(refused.message).toContain("templates are frozen by the platform team");
  expect(wordsOf(await harness.events(), "refused")).toEqual(["planned", "failed"]);
  expect(await harness.record("refused")).toMatchObject({
    phase: "failed",
    failure: { attempts: 1 },
  });
  expect(faultsOf(await harness.events())).toEqual([]);

  const expected = [
    ...(crowded === "failed" ? ["crowded ReloadFail"] : []),
    "crowded Reloaded",
    "good Reloaded",
    "never ReloadFail",
    "never Reloaded",
    "refused ReloadFail",
  ];
  const reports = await waitFor(async () => {
    const list = await api.get<{
      items: (AnyObject & { reason: string; regarding: { name: string } })[];
    }>(paths.event(namespace));
    // A stall may be told first, where the cluster's own time limit is noticed later than ours.
    const reasons = list.items
      .filter(({ reason }) => reason.startsWith("Reload") && reason !== "ReloadStalled")
      .map((event) => `${event.regarding.name} ${event.reason}`)
      .toSorted();
    return reasons.length >= expected.length ? reasons : undefined;
  });
  expect(reports).toEqual(expected);

  // The platform team removes its policy: a change of the workload triggers a retry at once.
  await policy[Symbol.asyncDispose]();
  await waitFor(
    async () => {
      await api.patch(paths.deployment(namespace, "refused"), {
        spec: { template: { metadata: { annotations: { team: "lifted" } } } },
      });
      return true;
    },
    { message: "the policy to be lifted" },
  );
  // Sources of the harness have no versions of the API server: an edit that is seen after a change
  // counts as later than it.
  const { generation } = (await harness.get("refused")).metadata;
  await harness.waitRecord("refused", (record) => record.generation >= (generation ?? 0));
  await harness.change("cfg", "2");
  await waitWord(harness, "started", "refused");
});

test("a workload that is edited, deleted, re-created, paused or scaled to zero during its rollout", async () => {
  await using harness = await startRestarterHarness();
  const { api, namespace } = harness;
  await harness.adopt("cfg", "0");
  const stuck = { uses: USES, podAnnotations: { [NEVER_READY]: "true" } };
  for (const name of ["edited", "deleted", "recreated"]) await harness.deploy(name, stuck);
  await harness.deploy("paused", { uses: USES });
  await harness.deploy("zero", { uses: USES, replicas: 0 });
  for (const name of ["paused", "zero"]) await waitRolledOut(api, namespace, name);
  await api.patch(paths.deployment(namespace, "paused"), { spec: { paused: true } });
  await harness.start();
  const names = ["edited", "deleted", "recreated", "paused", "zero"];
  await harness.waitAll(names);

  await harness.change("cfg", "1");
  for (const name of names) await waitWord(harness, "started", name);
  expect((await waitWord(harness, "started", "paused")).data.reason).toBe("Paused");
  expect((await waitWord(harness, "succeeded", "zero")).data.reason).toBe("ScaledToZero");

  await api.patch(paths.deployment(namespace, "edited"), {
    spec: { template: { spec: { containers: [{ name: "app", image: "example/app:2" }] } } },
  });
  expect((await waitWord(harness, "superseded", "edited")).data.reason).toBe("TemplateChanged");

  await api.remove(paths.deployment(namespace, "deleted"));
  expect((await waitWord(harness, "cancelled", "deleted")).data.reason).toBe("Deleted");
  await waitFor(async () => (await harness.record("deleted")) === undefined, {
    message: "the record of the deleted one to go",
  });

  await api.remove(paths.deployment(namespace, "recreated"));
  await harness.deploy("recreated", { uses: USES });
  await waitWord(harness, "cancelled", "recreated");
  await waitRolledOut(api, namespace, "recreated");
  expect((await harness.get("recreated")).metadata.generation).toBe(1);

  expect(wordsOf(await harness.events(), "paused")).toEqual(["planned", "started"]);
  await api.patch(paths.deployment(namespace, "paused"), { spec: { paused: false } });
  await waitWord(harness, "succeeded", "paused");
  expect(faultsOf(await harness.events())).toEqual([]);
});

test("a new change wakes a workload out of its backoff, and one workload's errors delay no other", async () => {
  await using harness = await startRestarterHarness();
  await harness.adopt("cfg", "0");
  await using _policy = await refuseTemplates(harness);
  await harness.deploy("good", { uses: USES, replicas: 0 });
  await harness.start();
  await harness.waitAll(["good", "refused"]);
  await harness.change("cfg", "1");
  await waitWord(harness, "succeeded", "good");
  const first = await harness.waitRecord("refused", (record) => record.failure !== undefined);
  // Different content is tried at once, although the first must wait for its retry.
  expect(first.failure?.retryAt).toBeGreaterThan(Date.now() + 5_000);
  await harness.change("cfg", "2");
  await harness.waitRecord("refused", (record) => record.failure?.wanted !== first.failure?.wanted);
});

test("a deferred rollout survives a restart and runs when it is due, with the last content", async () => {
  await using harness = await startRestarterHarness();
  await harness.adopt("cfg", "0");
  const patient = deployment(harness.namespace, "patient", { uses: USES, replicas: 0 });
  Object.assign(patient.metadata.annotations, { "rollcast.dev/min-interval": "8s" });
  await harness.api.create(paths.deployment(harness.namespace), patient);
  const late = deployment(harness.namespace, "late", { uses: USES, replicas: 0 });
  Object.assign(late.metadata.annotations, {
    "deployment.reloader.stakater.com/pause-period": "6s",
  });
  await harness.api.create(paths.deployment(harness.namespace), late);
  const first = await harness.start();
  await harness.waitAll(["patient", "late"]);

  await harness.change("cfg", "1");
  await waitWord(harness, "started", "patient");
  await waitWord(harness, "deferred", "late");
  await harness.change("cfg", "2");
  await waitWord(harness, "deferred", "patient");
  await first.kill("SIGKILL");
  await harness.redis.restart({ empty: true });
  await harness.change("cfg", "3");
  await harness.start();
  await harness.waitAll(["patient", "late"]);
  expect((await harness.get("patient")).metadata.generation).toBe(3);
  expect((await harness.get("late")).metadata.generation).toBe(2);
  expect(faultsOf(await harness.events())).toEqual([]);
});
