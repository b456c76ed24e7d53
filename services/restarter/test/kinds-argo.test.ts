import { openKv } from "@rollcast/nats/kv";
import { recordKey } from "@rollcast/shared/subjects";
import { CLUSTER } from "@rollcast/testkit/harness/base-config";
import type { AnyObject } from "@rollcast/testkit/test-api";
import { waitFor } from "@rollcast/testkit/wait";
import { expect, test } from "vitest";
import { defineRollouts, pathIn, setStatus } from "@rollcast/testkit/definitions";
import { WorkloadRecord } from "../src/model/workload-record.ts";
import { faultsOf, startRestarterHarness, wordsOf } from "./harness.ts";
import { custom } from "@rollcast/testkit/shapes";

const ROLLOUT = {
  group: "argoproj.io",
  version: "v1alpha1",
  kind: "Rollout",
  plural: "rollouts",
} as const;

type Rollout = AnyObject & { spec: { restartAt?: string; template: unknown } };

test("an Argo Rollout is rolled by its template or restarted, waits at pauses, and ends as Argo reports", async () => {
  await using harness = await startRestarterHarness();
  const { api, namespace } = harness;
  await defineRollouts(api);
  await harness.adopt("cfg", "0");
  const auto = { "reloader.stakater.com/auto": "true" };
  const strategies = {
    canary: auto,
    restarted: { ...auto, "reloader.stakater.com/rollout-strategy": "restart" },
    aborted: { ...auto, "rollcast.dev/rollout-strategy": "rollout" },
  };
  const names = Object.keys(strategies);
  const path = (name: string) => pathIn(namespace, ROLLOUT, name);
  const get = (name: string) => api.get<Rollout>(path(name));
  const says = (name: string, phase: string, generation: number, more: object = {}) =>
    setStatus(api, path(name), { observedGeneration: String(generation), phase, ...more });
  for (const [name, annotations] of Object.entries(strategies)) {
    const spec = { strategy: { canary: { steps: [{ setWeight: 50 }, { pause: {} }] } } };
    const object = custom(
      "argoproj.io/v1alpha1",
      "Rollout",
      { namespace, name },
      { annotations, spec },
    );
    await api.create(pathIn(namespace, ROLLOUT), object);
    await says(name, "Healthy", 1);
  }
  await harness.start();
  await harness.waitCurrent("Rollout", ...names);
  const before = await get("restarted");
  await harness.change("cfg", "1");
  for (const name of names) {
    await harness.waitEvent("started", name);
    expect((await get(name)).metadata.generation, name).toBe(2);
  }
  expect(JSON.stringify((await get("canary")).spec.template)).toContain("rollcast.dev/config");

  // Restarted: the template is unchanged, and the time is that of the change.
  const restarted = await get("restarted");
  expect(restarted.spec.template).toEqual(before.spec.template);
  const { changedAt } = (await harness.waitEvent("started", "restarted")).cause ?? {};
  const lag = Date.parse(restarted.spec.restartAt ?? "") - Date.parse(changedAt ?? "");
  expect(lag).toBeGreaterThanOrEqual(0);
  expect(lag).toBeLessThan(1_000);
  await says("restarted", "Healthy", 2);
  await says("canary", "Paused", 2, {
    controllerPause: true,
    pauseConditions: [{ reason: "CanaryPauseStep", startTime: "2026-01-01T00:00:00Z" }],
  });
  const message = "aborted update to revision 2";
  await says("aborted", "Degraded", 2, {
    conditions: [
      {
        type: "Progressing",
        status: "False",
        reason: "RolloutAborted",
        message,
        lastTransitionTime: "2026-01-01T00:00:00Z",
        lastUpdateTime: "2026-01-01T00:00:00Z",
      },
    ],
  });
  expect(await harness.waitEvent("failed", "aborted")).toMatchObject({
    reason: "RolloutAborted",
    message,
  });
  for (const name of ["restarted", "canary"]) {
    expect((await harness.record(name, "Rollout"))?.phase, name).toBe("rolling");
  }
  await says("restarted", "Healthy", 2, { restartedAt: restarted.spec.restartAt });
  await harness.waitEvent("succeeded", "restarted");
  await says("canary", "Healthy", 2, {
    controllerPause: false,
    pauseConditions: [{ reason: "x", startTime: "2026-01-01T00:00:00Z" }],
  });
  await harness.waitEvent("succeeded", "canary");

  const events = await harness.events();
  expect(faultsOf(events)).toEqual([]);
  expect(wordsOf(events, "restarted")).toEqual(["planned", "started", "succeeded"]);
});

test("a Rollout that was restarted is not again by a record from an older backup", async () => {
  await using harness = await startRestarterHarness();
  const { api, connection, namespace } = harness;
  await defineRollouts(api);
  await harness.adopt("cfg", "0");
  const annotations = {
    "reloader.stakater.com/auto": "true",
    "reloader.stakater.com/rollout-strategy": "restart",
    "example.com/team": "shop",
  };
  const object = custom(
    "argoproj.io/v1alpha1",
    "Rollout",
    { namespace, name: "web" },
    { annotations },
  );
  await api.create(pathIn(namespace, ROLLOUT), object);
  const path = pathIn(namespace, ROLLOUT, "web");
  const says = (generation: number, more: object = {}) =>
    setStatus(api, path, { observedGeneration: String(generation), phase: "Healthy", ...more });
  await says(1);
  const service = await harness.start();
  await harness.waitCurrent("Rollout", "web");
  const backup = await harness.record("web", "Rollout");
  await harness.change("cfg", "1");
  await harness.waitEvent("started", "web");
  const { metadata, spec } = await api.get<Rollout>(path);
  const { "rollcast.dev/config": own = "", ...others } = metadata.annotations ?? {};
  expect(others).toEqual(annotations);
  expect(JSON.parse(own)).toMatchObject({
    "ConfigMap/cfg": expect.stringContaining("."),
    restartAt: spec.restartAt,
  });
  await says(2, { restartedAt: spec.restartAt });
  await harness.waitEvent("succeeded", "web");
  const running = (await harness.record("web", "Rollout"))?.running;

  await service.kill();
  const records = await openKv(connection, "workloads", WorkloadRecord);
  const key = recordKey(CLUSTER, { kind: "Rollout", namespace, name: "web" });
  const present = await records.get(key);
  if (backup === undefined || present === undefined) throw new Error("no record");
  await records.update(key, backup, present.revision);
  await harness.start();
  // The watcher finds that the source differs from its record of then.
  await harness.change("cfg", "1");
  await waitFor(
    async () => {
      const record = await harness.record("web", "Rollout");
      const isSame = JSON.stringify(record?.running) === JSON.stringify(running);
      return isSame && record?.phase === "current";
    },
    { message: "the record to be renewed" },
  );
  expect((await api.get<Rollout>(path)).metadata.generation).toBe(2);
  expect(wordsOf(await harness.events(), "web")).not.toContain("superseded");
});

test("a Rollout with a workloadRef to a Deployment: the Deployment is patched, and the Rollout determines the end", async () => {
  await using harness = await startRestarterHarness();
  const { api, namespace } = harness;
  await defineRollouts(api);
  await harness.adopt("cfg", "0");
  const uses = [{ as: "envFrom", configMap: "cfg" }] as const;
  await harness.deploy("tpl", { uses, replicas: 0, annotations: {} });
  const path = pathIn(namespace, ROLLOUT, "by-ref");
  await api.create(pathIn(namespace, ROLLOUT), {
    apiVersion: "argoproj.io/v1alpha1",
    kind: "Rollout",
    metadata: {
      name: "by-ref",
      namespace,
      annotations: { "reloader.stakater.com/auto": "true" },
    },
    spec: {
      workloadRef: { apiVersion: "apps/v1", kind: "Deployment", name: "tpl" },
      strategy: { canary: {} },
    },
  });
  const says = (observedGeneration: number, phase: string) =>
    setStatus(api, path, {
      observedGeneration: "1",
      workloadObservedGeneration: String(observedGeneration),
      phase,
    });
  await says(1, "Healthy");
  await harness.start();
  await harness.waitCurrent("Deployment", "tpl");
  await harness.change("cfg", "1");
  await harness.waitEvent("started", "tpl");
  expect((await harness.get("tpl")).metadata.generation).toBe(2);
  await says(2, "Progressing");
  // The Deployment itself has no replicas, so it is always complete.
  await waitFor(async () => {
    const { status } = (await harness.get("tpl")) as unknown as {
      status?: { observedGeneration?: number };
    };
    return status?.observedGeneration === 2;
  });
  expect((await harness.record("tpl"))?.phase).toBe("rolling");
  await says(2, "Healthy");
  await harness.waitEvent("succeeded", "tpl");
  expect(wordsOf(await harness.events(), "tpl")).toEqual(["planned", "started", "succeeded"]);
  expect(wordsOf(await harness.events(), "by-ref")).toEqual([]);

  await harness.change("cfg", "2");
  await harness.waitEvent("started", "tpl", 2);
  await says(3, "Degraded");
  expect((await harness.waitEvent("failed", "tpl")).reason).toBe("Degraded");
});
