import { DEAD } from "@rollcast/testkit/kwok";
import type { ObjectStore } from "../object-store.ts";
import { refOf } from "../object.ts";
import type { KubeObject } from "../object.ts";
import { timeText } from "../store-state.ts";
import { conditionOf, controllerOf, isDeleting, isReady, writeStatus } from "./parts.ts";
import { NO_FAULTS } from "./act.ts";
import type { Act, Faults } from "./act.ts";

const by = { manager: "kube-controller-manager" };

const TAINTS = ["NoSchedule", "NoExecute"].map((effect) => ({
  key: "node.kubernetes.io/unreachable",
  effect,
}));

const EVICT = "evict from its dead node";

/** Whether the act is that a pod is deleted because its node is dead. */
export function isEviction({ name }: Act): boolean {
  return name.startsWith("Pod ") && name.endsWith(`: ${EVICT}`);
}

/** A node whose kubelet does nothing any more, whether or not anybody has noticed. */
export function isDead({ metadata }: KubeObject): boolean {
  return metadata.labels?.[DEAD] !== undefined;
}

/** A node of which the controller has noticed that it is dead. */
export function isNotReady(node: KubeObject): boolean {
  const ready = conditionOf(node, "Ready");
  return ready !== undefined && ready.status !== "True";
}

/** A node that takes no new pods, and that a DaemonSet does without. */
export function isTainted({ spec }: KubeObject): boolean {
  return Array.isArray(spec?.taints) && spec.taints.length > 0;
}

function writeReady(store: ObjectStore, object: KubeObject, status: "True" | "False" | "Unknown") {
  const condition = { type: "Ready", status, lastTransitionTime: timeText(store.now()) };
  writeStatus(store, object, { ...object.status, conditions: [condition] });
}

type Context = {
  readonly store: ObjectStore;
  readonly node: KubeObject;
  readonly faults: Faults;
};

/** Pods of a dead node that are still taken for ready, and those that are still to be evicted. */
function ofPod({ store, node, faults }: Context, pod: KubeObject): Act[] {
  const { name } = pod.metadata;
  if (isReady(pod)) {
    const run = () => writeReady(store, pod, "False");
    return [{ name: `Pod ${name}: not ready on its dead node`, run }];
  }
  const isTolerant = controllerOf(pod)?.kind === "DaemonSet" || faults.has("never-evicts");
  if (isDeleting(pod) || isTolerant || !isTainted(node)) return [];
  return [{ name: `Pod ${name}: ${EVICT}`, run: () => void store.remove(refOf(pod), by) }];
}

function ofNode(context: Context): Act[] {
  const { store, node } = context;
  const act = (name: string, run: () => void) => ({
    name: `Node ${node.metadata.name}: ${name}`,
    run,
  });
  const taint = (taints: readonly object[]) => () =>
    void store.update({ ...node, spec: { ...node.spec, taints } }, by);
  if (!isNotReady(node)) {
    return [
      ...(isDead(node) ? [act("not ready", () => writeReady(store, node, "Unknown"))] : []),
      ...(isTainted(node) ? [act("remove its taints", taint([]))] : []),
    ];
  }
  return [
    // The kubelet says so, which is back.
    ...(isDead(node) ? [] : [act("ready again", () => writeReady(store, node, "True"))]),
    ...(isTainted(node) ? [] : [act("taint", taint(TAINTS))]),
    ...store
      .list("Pod")
      .filter(({ spec }) => spec?.nodeName === node.metadata.name)
      .flatMap((pod) => ofPod(context, pod)),
  ];
}

/** The node lifecycle controller, with the eviction by taints. */
export function acts(store: ObjectStore, faults: Faults = NO_FAULTS): Act[] {
  return store.list("Node").flatMap((node) => ofNode({ store, node, faults }));
}
