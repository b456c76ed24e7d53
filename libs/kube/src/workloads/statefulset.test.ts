import { expect, test } from "vitest";
import type { KubeObject } from "../object.ts";
import { statefulSet } from "./statefulset.ts";

type Shape = { updateStrategy?: unknown; replicas?: number; ordinals?: unknown };

function object(status: unknown, shape: Shape = {}): KubeObject {
  const selector = {
    matchLabels: { app: "db" },
    matchExpressions: [
      { key: "tier", operator: "In", values: ["a", "b"] },
      { key: "canary", operator: "DoesNotExist" },
    ],
  };
  const spec = { replicas: 3, selector, ...shape };
  return {
    metadata: { name: "db", uid: "u", resourceVersion: "1", generation: 4 },
    spec,
    status,
  };
}
const counts = (readyReplicas: number, updatedReplicas: number) => ({
  observedGeneration: 4,
  replicas: 3,
  readyReplicas,
  updatedReplicas,
});
const ON_DELETE = { updateStrategy: { type: "OnDelete" } };
const rolling = (partition: number) => ({
  updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition } },
});

test.each([
  { name: "no status is unobserved", status: undefined, expected: { state: "unobserved" } },
  {
    name: "an older generation is unobserved",
    status: { ...counts(3, 3), observedGeneration: 3 },
    expected: { state: "unobserved" },
  },
  {
    name: "not all ready",
    status: counts(2, 3),
    expected: { state: "progressing", message: "2 of 3 replicas are ready" },
  },
  {
    name: "not all updated",
    status: counts(3, 1),
    expected: { state: "progressing", message: "1 of 3 replicas are updated" },
  },
  { name: "all updated and ready", status: counts(3, 3), expected: { state: "complete" } },
  {
    name: "scaled down before pod 0 is updated",
    status: counts(3, 2),
    shape: { replicas: 1 },
    expected: { state: "progressing", message: "0 of 1 replicas are updated" },
  },
  {
    name: "scaled down after all were updated",
    status: counts(3, 3),
    shape: { replicas: 1 },
    expected: { state: "complete" },
  },
  {
    name: "scaled down to the partition",
    status: counts(3, 1),
    shape: { ...rolling(2), replicas: 2 },
    expected: {
      state: "complete",
      reason: "Partition",
      message: "below the partition, so left for their owner to delete: db-0, db-1",
    },
  },
  {
    name: "no replicas",
    status: counts(0, 0),
    shape: { replicas: 0 },
    expected: {
      state: "complete",
      reason: "ScaledToZero",
      message: "no replicas: nothing restarts",
    },
  },
  {
    name: "not all updated above the partition",
    status: counts(3, 0),
    shape: rolling(2),
    expected: { state: "progressing", message: "0 of 1 replicas are updated" },
  },
  {
    name: "all updated above the partition, the pods below are named by their ordinals",
    status: counts(3, 1),
    shape: { ...rolling(2), ordinals: { start: 5 } },
    expected: {
      state: "complete",
      reason: "Partition",
      message: "below the partition, so left for their owner to delete: db-5, db-6",
    },
  },
  {
    name: "a partition beyond the replicas holds all of them back",
    status: counts(3, 0),
    shape: rolling(9),
    expected: {
      state: "complete",
      reason: "Partition",
      message: "below the partition, so left for their owner to delete: db-0, db-1, db-2",
    },
  },
  {
    name: "OnDelete is done when the controller has seen it",
    status: counts(1, 1),
    shape: ON_DELETE,
    expected: {
      state: "complete",
      reason: "OnDelete",
      message: "2 of 3 pods keep the old template until their owner deletes them",
    },
  },
  {
    name: "OnDelete with nothing left to delete",
    status: counts(3, 3),
    shape: ON_DELETE,
    expected: { state: "complete" },
  },
])("$name", ({ status, shape, expected }) => {
  expect(statefulSet.status(object(status, shape))).toEqual(expected);
});

test("an edit restarts pods only where nothing holds them back, and OnDelete names its pods", () => {
  expect(statefulSet.restartsOnEdit(object({}))).toBe(true);
  expect(statefulSet.restartsOnEdit(object({}, rolling(0)))).toBe(true);
  expect(statefulSet.restartsOnEdit(object({}, rolling(1)))).toBe(false);
  expect(statefulSet.restartsOnEdit(object({}, ON_DELETE))).toBe(false);
  expect(statefulSet.leftPods?.(object(counts(3, 1)))).toBeUndefined();
  expect(statefulSet.leftPods?.(object(counts(3, 1), ON_DELETE))).toBe(
    "app=db,tier in (a,b),!canary",
  );
});
