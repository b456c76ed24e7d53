import { steps as cronJob } from "./controllers/cronjob.ts";
import { steps as daemonSet } from "./controllers/daemonset.ts";
import { steps as deployment } from "./controllers/deployment.ts";
import { steps as collector } from "./controllers/garbage-collector.ts";
import { steps as job } from "./controllers/job.ts";
import { steps as kubelet } from "./controllers/kubelet.ts";
import { steps as node } from "./controllers/node.ts";
import { steps as replicaSet } from "./controllers/replicaset.ts";
import { steps as rollout } from "./controllers/rollout.ts";
import { steps as statefulSet } from "./controllers/statefulset.ts";
import { NO_FAULTS } from "./controllers/step.ts";
import type { Controller, Faults, Step } from "./controllers/step.ts";
import type { ObjectStore } from "./object-store.ts";

const CONTROLLERS: readonly Controller[] = [
  deployment,
  replicaSet,
  statefulSet,
  daemonSet,
  job,
  cronJob,
  rollout,
  kubelet,
  node,
  collector,
];

/** Everything that may happen next in the cluster by itself. */
export function clusterSteps(store: ObjectStore, faults: Faults = NO_FAULTS): Step[] {
  return CONTROLLERS.flatMap((steps) => steps(store, faults));
}
