import { expect, test } from "vitest";
import type { KubeObject } from "../object.ts";
import { argoRollout } from "./argo-rollout.ts";

function object(status: object | undefined, spec: object = {}): KubeObject {
  return {
    metadata: { name: "x", uid: "u", resourceVersion: "1", generation: 4 },
    spec,
    status,
  };
}
const phase = (name: string, more: object = {}) => ({
  observedGeneration: "4",
  phase: name,
  ...more,
});
const AT = "2026-01-10T12:00:00Z";

test.each([
  { name: "no status", status: undefined, expected: { state: "unobserved" } },
  {
    name: "an older generation",
    status: phase("Healthy", { observedGeneration: "3" }),
    expected: { state: "unobserved" },
  },
  {
    name: "a hash from before 0.10",
    status: phase("Healthy", { observedGeneration: "7f9c6" }),
    expected: { state: "complete" },
  },
  { name: "healthy", status: phase("Healthy"), expected: { state: "complete" } },
  {
    name: "healthy by a status for another size",
    status: phase("Healthy", { conditions: [{ type: "Healthy", status: "False" }] }),
    expected: { state: "progressing", message: "its pods are not counted yet" },
  },
  {
    name: "progressing",
    status: phase("Progressing", { message: "more replicas need to be updated" }),
    expected: { state: "progressing", message: "more replicas need to be updated" },
  },
  { name: "at a pause of the canary", status: phase("Paused"), expected: { state: "progressing" } },
  {
    name: "without a phase",
    status: { observedGeneration: "4" },
    expected: { state: "progressing" },
  },
  {
    name: "aborted",
    status: phase("Degraded", {
      conditions: [
        { type: "Progressing", reason: "RolloutAborted", message: "aborted update to revision 2" },
      ],
    }),
    expected: {
      state: "failed",
      reason: "RolloutAborted",
      message: "aborted update to revision 2",
    },
  },
  {
    name: "an invalid spec fails with Argo's own sentence",
    status: phase("Degraded", {
      conditions: [{ type: "InvalidSpec", reason: "X", message: "bad" }],
    }),
    expected: { state: "failed", reason: "InvalidSpec", message: "bad" },
  },
  {
    name: "degraded for reasons of its own",
    status: phase("Degraded", { message: "why" }),
    expected: { state: "failed", reason: "Degraded", message: "why" },
  },
  {
    name: "resumed, not seen",
    status: phase("Healthy", { controllerPause: true }),
    expected: { state: "progressing" },
  },
  {
    name: "restarting",
    status: phase("Healthy", { restartedAt: "2026-01-10T11:00:00Z" }),
    spec: { restartAt: AT },
    expected: { state: "progressing", message: "its pods are being restarted" },
  },
  {
    name: "restarted",
    status: phase("Healthy", { restartedAt: AT }),
    spec: { restartAt: AT },
    expected: { state: "complete" },
  },
])("$name", ({ status, spec, expected }) => {
  expect(argoRollout.status(object(status, spec))).toMatchObject(expected);
});

test("its annotation chooses between the template and restartAt", () => {
  const rollBy = (strategy?: string) =>
    argoRollout.rollBy?.(
      object({}),
      strategy === undefined ? {} : { "rollcast.dev/rollout-strategy": strategy },
    );
  expect([rollBy(), rollBy("rollout"), rollBy("restart"), rollBy("other")]).toEqual([
    "patch",
    "patch",
    "restart",
    "patch",
  ]);
});

test("with the template of a ReplicaSet it is restarted, with a Deployment's that one is rolled", () => {
  const by = (kind: string) => {
    const rollout = object({}, { workloadRef: { kind, name: "tpl" } });
    return [
      argoRollout.rollBy?.(rollout, {}),
      argoRollout.workloadRef?.(rollout)?.kind,
      argoRollout.podTemplateRef?.(rollout)?.plural,
    ];
  };
  expect(by("ReplicaSet")).toEqual(["restart", undefined, "replicasets"]);
  expect(by("PodTemplate")).toEqual(["restart", undefined, "podtemplates"]);
  expect(by("Deployment")).toEqual(["patch", "Deployment", undefined]);
  // The name of a property of every object.
  expect(by("constructor")).toEqual(["patch", "constructor", undefined]);
});

test("it is paused by its owner and by a step of its canary", () => {
  expect(argoRollout.paused(object(phase("Progressing"), { paused: true }))).toBe(true);
  expect(argoRollout.paused(object(phase("Paused", { pauseConditions: [{}] })))).toBe(true);
  expect(argoRollout.paused(object(phase("Progressing")))).toBe(false);
});

test("it is paused no more once its owner has resumed it, before its controller says so", () => {
  expect(argoRollout.paused(object(phase("Paused"), { paused: true }))).toBe(true);
  expect(argoRollout.paused(object(phase("Paused")))).toBe(false);
});
