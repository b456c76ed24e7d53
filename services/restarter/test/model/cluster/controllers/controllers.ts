import { acts as cloneSet } from "./cloneset.ts";
import { acts as cronJob } from "./cronjob.ts";
import { syncOf as daemonSetSync, acts as daemonSet } from "./daemonset.ts";
import { acts as deployment } from "./deployment.ts";
import { acts as collector } from "./garbage-collector.ts";
import { acts as job } from "./job.ts";
import { acts as kubelet } from "./kubelet.ts";
import { acts as node } from "./node.ts";
import { acts as replicaSet } from "./replicaset.ts";
import { acts as resourceQuota } from "./resource-quota.ts";
import { interruptedActs, acts as rollout } from "./rollout.ts";
import { holdActs as ofSync } from "./held-status.ts";
import { syncOf as statefulSetSync, acts as statefulSet } from "./statefulset.ts";
import { NO_FAULTS } from "./act.ts";
import type { Controller, Faults, Act } from "./act.ts";
import type { ObjectStore } from "../object-store.ts";

const CONTROLLERS: readonly Controller[] = [
  deployment,
  replicaSet,
  statefulSet,
  daemonSet,
  job,
  cronJob,
  rollout,
  cloneSet,
  resourceQuota,
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
    ...store.list("Rollout").flatMap((object) => interruptedActs(store, object)),
  ];
}
