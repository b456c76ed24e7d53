import type { AnyObject } from "@rollcast/testkit/test-api";
import { waitFor } from "@rollcast/testkit/wait";
import { expect, test } from "vitest";
import { defineRollouts, pathIn, setStatus } from "@rollcast/testkit/definitions";
import { faultsOf, startRig, wordsOf } from "./rig.ts";
import { custom } from "@rollcast/testkit/shapes";

const ROLLOUT = {
  group: "argoproj.io",
  version: "v1alpha1",
  kind: "Rollout",
  plural: "rollouts",
} as const;

type Rollout = AnyObject & { spec: { restartAt?: string; template: unknown } };

test("an Argo Rollout is rolled by its template or restarted, waits at pauses, and ends as Argo reports", async () => {
  await using rig = await startRig();
  const { api, namespace } = rig;
  await defineRollouts(api);
  await rig.adopt("cfg", "0");
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
  await rig.start();
  await rig.waitCurrent("Rollout", ...names);
  const before = await get("restarted");
  await rig.change("cfg", "1");
  for (const name of names) {
    await rig.waitEvent("started", name);
    expect((await get(name)).metadata.generation, name).toBe(2);
  }
  expect(JSON.stringify((await get("canary")).spec.template)).toContain("rollcast.dev/config");

  // Restarted: the template is unchanged, and the time is that of the change.
  const restarted = await get("restarted");
  expect(restarted.spec.template).toEqual(before.spec.template);
  const { changedAt } = (await rig.waitEvent("started", "restarted")).cause ?? {};
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
  expect(await rig.waitEvent("failed", "aborted")).toMatchObject({
    reason: "RolloutAborted",
    message,
  });
  for (const name of ["restarted", "canary"]) {
    expect((await rig.record(name, "Rollout"))?.phase, name).toBe("rolling");
  }
  await says("restarted", "Healthy", 2, { restartedAt: restarted.spec.restartAt });
  await rig.waitEvent("succeeded", "restarted");
  await says("canary", "Healthy", 2, {
    controllerPause: false,
    pauseConditions: [{ reason: "x", startTime: "2026-01-01T00:00:00Z" }],
  });
  await rig.waitEvent("succeeded", "canary");

  const events = await rig.events();
  expect(faultsOf(events)).toEqual([]);
  expect(wordsOf(events, "restarted")).toEqual(["planned", "started", "succeeded"]);
});

test("a Rollout with a workloadRef to a Deployment: the Deployment is patched, and the Rollout determines the end", async () => {
  await using rig = await startRig();
  const { api, namespace } = rig;
  await defineRollouts(api);
  await rig.adopt("cfg", "0");
  const uses = [{ as: "envFrom", configMap: "cfg" }] as const;
  await rig.deploy("tpl", { uses, replicas: 0, annotations: {} });
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
  await rig.start();
  await rig.waitCurrent("Deployment", "tpl");
  await rig.change("cfg", "1");
  await rig.waitEvent("started", "tpl");
  expect((await rig.get("tpl")).metadata.generation).toBe(2);
  await says(2, "Progressing");
  // The Deployment itself has no replicas, so it is always complete.
  await waitFor(async () => {
    const { status } = (await rig.get("tpl")) as unknown as {
      status?: { observedGeneration?: number };
    };
    return status?.observedGeneration === 2;
  });
  expect((await rig.record("tpl"))?.phase).toBe("rolling");
  await says(2, "Healthy");
  await rig.waitEvent("succeeded", "tpl");
  expect(wordsOf(await rig.events(), "tpl")).toEqual(["planned", "started", "succeeded"]);
  expect(wordsOf(await rig.events(), "by-ref")).toEqual([]);
});
