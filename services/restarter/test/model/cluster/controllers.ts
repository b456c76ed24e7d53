import { acts as cronJob } from "./controllers/cronjob.ts";
import { syncOf as daemonSetSync, acts as daemonSet } from "./controllers/daemonset.ts";
import { acts as deployment } from "./controllers/deployment.ts";
import { acts as collector } from "./controllers/garbage-collector.ts";
import { acts as job } from "./controllers/job.ts";
import { acts as kubelet } from "./controllers/kubelet.ts";
import { acts as node } from "./controllers/node.ts";
import { acts as replicaSet } from "./controllers/replicaset.ts";
import { acts as rollout } from "./controllers/rollout.ts";
import { holdActs as ofSync } from "./controllers/held-status.ts";
import { syncOf as statefulSetSync, acts as statefulSet } from "./controllers/statefulset.ts";
import { NO_FAULTS } from "./controllers/act.ts";
import type { Controller, Faults, Act } from "./controllers/act.ts";
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
export function controllerActs(store: ObjectStore, faults: Faults = NO_FAULTS): Act[] {
  return CONTROLLERS.flatMap((acts) => acts(store, faults));
}

/**
 * A status that is computed now and written later: of use before somebody else writes the object.
 */
export function holdActs(store: ObjectStore): Act[] {
  return [
    ...store.list("StatefulSet").flatMap((set) => ofSync(store, statefulSetSync(store, set))),
    ...store.list("DaemonSet").flatMap((set) => ofSync(store, daemonSetSync(store, set))),
  ];
}
