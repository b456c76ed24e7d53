import { expect, test } from "vitest";
import type { KubeObject } from "../object.ts";
import { daemonSet } from "./daemonset.ts";

function object(status: unknown, type = "RollingUpdate"): KubeObject {
  return {
    metadata: { name: "agent", uid: "u", resourceVersion: "1", generation: 4 },
    spec: { updateStrategy: { type }, selector: { matchLabels: { app: "agent" } } },
    status,
  };
}
const counts = (updatedNumberScheduled: number, numberAvailable: number, desired = 3) => ({
  observedGeneration: 4,
  desiredNumberScheduled: desired,
  updatedNumberScheduled,
  numberAvailable,
});

test.each([
  { name: "no status is unobserved", status: undefined, expected: { state: "unobserved" } },
  {
    name: "an older generation is unobserved",
    status: { ...counts(3, 3), observedGeneration: 3 },
    expected: { state: "unobserved" },
  },
  {
    name: "not all updated",
    status: counts(1, 3),
    expected: { state: "progressing", message: "1 of 3 pods are updated" },
  },
  {
    name: "not all available",
    status: counts(3, 2),
    expected: { state: "progressing", message: "2 of 3 pods are available" },
  },
  { name: "all updated and available", status: counts(3, 3), expected: { state: "complete" } },
  { name: "no node to run on", status: counts(0, 0, 0), expected: { state: "complete" } },
  {
    name: "OnDelete is done when the controller has seen it",
    status: counts(1, 3),
    type: "OnDelete",
    expected: {
      state: "complete",
      reason: "OnDelete",
      message: "2 of 3 pods keep the old template until their owner deletes them",
    },
  },
  {
    name: "OnDelete beside a pod on a node that takes none any more",
    status: { ...counts(3, 3), numberMisscheduled: 1 },
    type: "OnDelete",
    expected: {
      state: "complete",
      reason: "OnDelete",
      message: "1 of 4 pods keep the old template until their owner deletes them",
    },
  },
  {
    name: "OnDelete with nothing left to delete",
    status: counts(3, 1),
    type: "OnDelete",
    expected: { state: "complete" },
  },
])("$name", ({ status, type, expected }) => {
  expect(daemonSet.status(object(status, type))).toEqual(expected);
});

test("an edit does not restart pods that their owner deletes, and those are named", () => {
  expect(daemonSet.restartsOnEdit(object({}))).toBe(true);
  expect(daemonSet.restartsOnEdit(object({}, "OnDelete"))).toBe(false);
  expect(daemonSet.leftPods?.(object(counts(1, 3)))).toBeUndefined();
  expect(daemonSet.leftPods?.(object(counts(1, 3), "OnDelete"))).toBe("app=agent");
});
