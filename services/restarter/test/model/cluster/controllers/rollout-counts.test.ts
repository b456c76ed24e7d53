import { expect, test } from "vitest";
import { createObjectStore } from "../object-store.ts";
import type { ObjectStore } from "../object-store.ts";
import type { KubeObject } from "../object.ts";
import { hashOf, ownerReference } from "./parts.ts";
import { POD_HASH, contextOf, normal } from "./rollout-context.ts";
import { countsOf } from "./rollout-counts.ts";
import { NO_FAULTS } from "./act.ts";

const by = { manager: "owner" };
const TEMPLATE = { spec: { containers: [{ name: "app", image: "app:1" }] } };
const NEWEST = hashOf(normal(TEMPLATE));

type Size = readonly [replicas: number, available: number];

function addReplicaSet(store: ObjectStore, rollout: KubeObject, hash: string, of: Size): void {
  const [replicas, availableReplicas] = of;
  const metadata = {
    name: `web-${hash}`,
    namespace: "shop",
    labels: { [POD_HASH]: hash },
    ownerReferences: [ownerReference(rollout)],
  };
  const draft = { apiVersion: "apps/v1", kind: "ReplicaSet", metadata, spec: { replicas } };
  const made = store.create(draft, by);
  store.update({ ...made, status: { availableReplicas } }, { ...by, subresource: "status" });
}

// Rows of the controller's own test of CalculateReplicaCountsForBasicCanary in v1.10.1:
// replicas, weight, maxSurge, maxUnavailable, the stable, newest and older ReplicaSet, and what the
// newest and the stable one are to be.
test.each([
  [10, 20, "20%", 0, [10, 10], [0, 0], undefined, [2, 10]],
  [10, 30, 2, 0, [10, 10], [0, 0], undefined, [2, 10]],
  [10, 20, 0, "20%", [10, 10], [0, 0], undefined, [0, 8]],
  [10, 50, 2, 1, [10, 10], [0, 0], undefined, [2, 9]],
  [10, 0, 1, 1, [10, 10], [1, 1], undefined, [0, 10]],
  [1, 20, 1, 0, [1, 1], [0, 0], undefined, [1, 1]],
  [1, 49, 0, 1, [1, 1], [0, 0], undefined, [0, 1]],
  [1, 51, 0, 1, [1, 1], [0, 0], undefined, [0, 0]],
  [10, 30, 1, 0, [1, 1], [0, 0], [3, 3], [1, 7]],
  [10, 30, 0, 3, [8, 5], [4, 4], undefined, [3, 7]],
  [10, 100, 1, 0, [10, 2], [10, 8], undefined, [9, 2]],
  [10, 30, 0, 1, [8, 6], [4, 2], [3, 3], [4, 8]],
  [4, 0, 1, 0, [1, 1], [4, 4], undefined, [3, 1]],
  [3, 99, 0, 2, [1, 1], [0, 0], undefined, [2, 1]],
] as const)(
  "%i replicas at %i %%, surge %s, unavailable %s, of %j, %j and %j: %j",
  (replicas, setWeight, maxSurge, maxUnavailable, stable, newest, older, expected) => {
    const store = createObjectStore({ now: () => 0 });
    const canary = { maxSurge, maxUnavailable, steps: [{ setWeight }] };
    const made = store.create(
      {
        apiVersion: "argoproj.io/v1alpha1",
        kind: "Rollout",
        metadata: { name: "web", namespace: "shop" },
        spec: { replicas, strategy: { canary }, template: TEMPLATE },
      },
      by,
    );
    const status = { stableRS: "stable", currentPodHash: NEWEST, currentStepIndex: 0 };
    const rollout = store.update({ ...made, status }, { ...by, subresource: "status" });
    addReplicaSet(store, rollout, "stable", stable);
    addReplicaSet(store, rollout, NEWEST, newest);
    if (older !== undefined) addReplicaSet(store, rollout, "older", older);

    const counts = countsOf(contextOf(store, rollout, NO_FAULTS));
    expect([counts.canary, counts.stable]).toEqual(expected);
  },
);
