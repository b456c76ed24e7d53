import { describe, expect, test } from "vitest";
import type { KubeObject } from "../object.ts";
import { deploymentConfig } from "./deploymentconfig.ts";
import { genericKind } from "./generic.ts";

function object(status: object | undefined, spec: object = {}): KubeObject {
  return {
    metadata: { name: "x", uid: "u", resourceVersion: "1", generation: 4 },
    spec: { replicas: 2, ...spec },
    status,
  };
}
const counts = (updatedReplicas: number, more: object = {}) => ({
  observedGeneration: 4,
  replicas: 2,
  updatedReplicas,
  availableReplicas: 2,
  ...more,
});
const conditions = (...all: [type: string, status: string, more?: object][]) => ({
  conditions: all.map(([type, status, more]) => ({ type, status, ...more })),
});

describe("DeploymentConfig", () => {
  test.each([
    { name: "no status", status: undefined, state: "unobserved" },
    { name: "old", status: counts(2, { observedGeneration: 3 }), state: "unobserved" },
    { name: "one of two", status: counts(1), state: "progressing" },
    { name: "all", status: counts(2), state: "complete" },
    {
      name: "given up",
      status: counts(
        1,
        conditions(["Progressing", "False", { reason: "ProgressDeadlineExceeded" }]),
      ),
      state: "failed",
    },
    {
      name: "refused",
      status: counts(1, conditions(["ReplicaFailure", "True", { message: "exceeded quota" }])),
      state: "progressing",
      message: "1 of 2 replicas are updated. exceeded quota",
    },
    {
      name: "no trigger",
      status: counts(2),
      spec: { triggers: [] },
      state: "complete",
      reason: "Manual",
    },
    {
      name: "its trigger",
      status: counts(1),
      spec: { triggers: [{ type: "ImageChange" }, { type: "ConfigChange" }] },
      state: "progressing",
    },
  ])("$name: $state", ({ status, spec, state, reason, message }) => {
    expect(deploymentConfig.status(object(status, spec))).toMatchObject({
      state,
      ...(reason === undefined ? {} : { reason }),
      ...(message === undefined ? {} : { message }),
    });
  });

  test("an edit restarts its pods only where a trigger says so", () => {
    expect(deploymentConfig.restartsOnEdit(object({}))).toBe(true);
    expect(deploymentConfig.restartsOnEdit(object({}, { triggers: [] }))).toBe(false);
    expect(deploymentConfig.restartsOnEdit(object({}, { paused: true }))).toBe(false);
  });
});

describe("a kind of the configuration", () => {
  const kind = genericKind({
    group: "example.com",
    version: "v1",
    kind: "App",
    plural: "applications",
    templatePath: "spec.workload.podTemplate",
  });

  test("has its template where it says", () => {
    expect(kind.templatePath).toBe("/spec/workload/podTemplate");
    const template = { spec: { containers: [] } };
    expect(kind.template(object({}, { workload: { podTemplate: template } }))).toBe(template);
  });

  test.each([
    { name: "nothing", status: undefined, expected: { state: "complete", reason: "NoStatus" } },
    { name: "old", status: { observedGeneration: 3 }, expected: { state: "unobserved" } },
    {
      name: "old, as text",
      status: { observedGeneration: "3" },
      expected: { state: "unobserved" },
    },
    {
      name: "a condition from before",
      status: conditions(["Ready", "True", { observedGeneration: 3 }]),
      expected: { state: "unobserved" },
    },
    {
      name: "not ready",
      status: conditions(["Ready", "False", { reason: "Starting" }]),
      expected: { state: "progressing", message: "Ready Starting" },
    },
    { name: "ready", status: conditions(["Ready", "True"]), expected: { state: "complete" } },
    {
      name: "ready, not available",
      status: conditions(["Ready", "True"], ["Available", "False"]),
      expected: { state: "progressing" },
    },
    {
      name: "available and progressing",
      status: conditions(["Available", "True"], ["Progressing", "True", { reason: "Updating" }]),
      expected: { state: "progressing" },
    },
    {
      name: "as a Deployment that has arrived",
      status: conditions(
        ["Available", "True"],
        ["Progressing", "True", { reason: "NewReplicaSetAvailable" }],
      ),
      expected: { state: "complete" },
    },
    {
      name: "reconciling",
      status: conditions(["Ready", "True"], ["Reconciling", "True"]),
      expected: { state: "progressing" },
    },
    {
      name: "stalled",
      status: conditions(["Stalled", "True", { reason: "NoImage", message: "no" }]),
      expected: { state: "failed", reason: "NoImage", message: "no" },
    },
    {
      name: "stalled before",
      status: conditions(["Stalled", "True", { reason: "Old", observedGeneration: 3 }]),
      expected: { state: "unobserved" },
    },
    {
      name: "reconciled before, and left so",
      status: conditions(["Ready", "True"], ["Reconciling", "False", { observedGeneration: 3 }]),
      expected: { state: "complete" },
    },
    {
      name: "updated and not ready",
      status: counts(2, { updatedReadyReplicas: 0, readyReplicas: 0, availableReplicas: 0 }),
      expected: { state: "progressing", message: "0 of 2 replicas are ready" },
    },
    {
      name: "ready, and one of its pods is not",
      status: { ...conditions(["Ready", "True"]), updatedReplicas: 2, readyReplicas: 1 },
      expected: { state: "progressing", message: "1 of 2 replicas are ready" },
    },
    {
      name: "ready, one of two updated",
      status: { ...conditions(["Ready", "True"]), updatedReplicas: 1 },
      expected: { state: "progressing", message: "1 of 2 replicas are updated" },
    },
    { name: "all updated", status: { updatedReplicas: 2 }, expected: { state: "complete" } },
    {
      name: "none updated, and the spec has no size",
      status: { replicas: 3, updatedReplicas: 0 },
      spec: { replicas: undefined },
      expected: { state: "progressing", message: "0 of 3 replicas are updated" },
    },
  ])("its status: $name", ({ status, spec, expected }) => {
    expect(kind.status(object(status, spec))).toMatchObject(expected);
  });
});
