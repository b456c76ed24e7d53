import { expect, test } from "vitest";
import type { KubeObject } from "../object.ts";
import { deployment } from "./deployment.ts";

const object = (status: unknown, spec: Record<string, unknown> = { replicas: 3 }): KubeObject => ({
  metadata: { name: "web", uid: "u", resourceVersion: "1", generation: 4 },
  spec,
  status,
});
const counts = (replicas: number, updatedReplicas: number, availableReplicas: number) => ({
  observedGeneration: 4,
  replicas,
  updatedReplicas,
  availableReplicas,
});

test.each([
  { name: "no status is unobserved", status: undefined, state: "unobserved" },
  {
    name: "an older generation is unobserved",
    status: { ...counts(3, 3, 3), observedGeneration: 3 },
    state: "unobserved",
  },
  { name: "too few updated", status: counts(3, 2, 3), state: "progressing" },
  { name: "old replicas left", status: counts(4, 3, 3), state: "progressing" },
  { name: "not all available", status: counts(3, 3, 2), state: "progressing" },
  { name: "all updated and available", status: counts(3, 3, 3), state: "complete" },
  { name: "scaled to zero", status: counts(0, 0, 0), spec: { replicas: 0 }, state: "complete" },
  { name: "one replica where none are told", status: counts(1, 1, 1), spec: {}, state: "complete" },
])("$name", ({ status, spec, state }) => {
  expect(deployment.status(object(status, spec)).state).toBe(state);
});

test.each([
  { reason: "ReplicaSetCreateError", status: "False", refused: true },
  { reason: "ReplicaSetUpdated", status: "True", refused: false },
  { reason: "ProgressDeadlineExceeded", status: "False", refused: false },
])(
  "before it is observed, $reason says of the new ReplicaSet that it is refused: $refused",
  (row) => {
    const { reason, status, refused } = row;
    const message = 'replicasets.apps "web-2" is forbidden: exceeded quota';
    const conditions = [{ type: "Progressing", status, reason, message }];
    const unobserved = { ...counts(3, 3, 3), observedGeneration: 3, conditions };

    const { before: _, ...shown } = deployment.status(object(unobserved)) as { before?: unknown };
    expect(shown).toEqual({
      state: "unobserved",
      ...(refused ? { message, refused: { reason, message } } : {}),
    });
  },
);

test.each([
  { seconds: undefined, ms: 600_000 },
  { seconds: 60, ms: 60_000 },
  // Kubernetes' way to say none.
  { seconds: 2_147_483_647, ms: undefined },
])("a progress deadline of $seconds s is $ms ms", ({ seconds, ms }) => {
  expect(deployment.deadlineMs(object({}, { progressDeadlineSeconds: seconds }))).toBe(ms);
});

test("says what refuses the pods while it has no deadline to miss", () => {
  const refused = { type: "ReplicaFailure", status: "True", message: "exceeded quota: pods" };
  expect(deployment.status(object({ ...counts(3, 1, 3), conditions: [refused] }))).toEqual({
    state: "progressing",
    message: "1 of 3 replicas are updated. exceeded quota: pods",
  });
});

test("gives up with the controller's reason, and says what refused the pods", () => {
  const conditions = [
    {
      type: "Progressing",
      status: "False",
      reason: "ProgressDeadlineExceeded",
      message: "ReplicaSet has timed out.",
    },
    {
      type: "ReplicaFailure",
      status: "True",
      reason: "FailedCreate",
      message: "exceeded quota: pods",
    },
  ];
  expect(deployment.status(object({ ...counts(3, 1, 3), conditions }))).toEqual({
    state: "failed",
    reason: "ProgressDeadlineExceeded",
    message: "ReplicaSet has timed out. exceeded quota: pods",
    condition: " ReplicaSet has timed out.",
  });
});
