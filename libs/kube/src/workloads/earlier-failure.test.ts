import { expect, test } from "vitest";
import type { KubeObject } from "../object.ts";
import { argoRollout } from "./argo-rollout.ts";
import { deployment } from "./deployment.ts";
import { deploymentConfig } from "./deploymentconfig.ts";
import { genericKind } from "./generic.ts";
import type { WorkloadKind } from "./kind.ts";

const custom = genericKind({
  kind: "CloneSet",
  group: "apps.kruise.io",
  version: "v1alpha1",
  plural: "clonesets",
  templatePath: "spec.template",
});

const LATE = {
  type: "Progressing",
  status: "False",
  reason: "ProgressDeadlineExceeded",
  message: "timed out",
  lastUpdateTime: "2026-01-10T12:00:00Z",
};

function observed(observedGeneration: number | string, conditions: readonly object[]): KubeObject {
  return {
    metadata: { name: "web", uid: "u", resourceVersion: "1", generation: 4 },
    spec: { replicas: 1 },
    status: {
      observedGeneration,
      phase: conditions.length === 0 ? "Healthy" : "Degraded",
      conditions,
    },
  };
}

test.each<{ kind: WorkloadKind; of?: (generation: number) => string }>([
  { kind: deployment },
  { kind: deploymentConfig },
  { kind: argoRollout, of: String },
  { kind: custom },
])("a failure of an earlier generation is told as that: $kind.kind", ({ kind, of }) => {
  const at = (generation: number, conditions: readonly object[]) =>
    kind.status(observed(of?.(generation) ?? generation, conditions));
  const failed = { state: "failed", reason: "ProgressDeadlineExceeded", message: "timed out" };

  expect(at(4, [LATE])).toMatchObject(failed);
  expect(at(3, [LATE])).toMatchObject({ state: "unobserved", before: failed });
  expect(at(3, [])).toEqual({ state: "unobserved" });
});
