import { FAILS, NEVER_READY } from "@rollcast/testkit/kwok";
import type { ObjectStore } from "../object-store.ts";
import { refOf } from "../object.ts";
import type { KubeObject } from "../object.ts";
import { timeText } from "../store-state.ts";
import { isDead } from "./node.ts";
import { controllerOf, isDeleting, phaseOf } from "./parts.ts";
import type { Act } from "./act.ts";

const FINISH = "finish";

/** Whether the act is that a deleted pod has ended. */
export function isEndOfPod({ name }: Act): boolean {
  return name.startsWith("Pod ") && name.endsWith(`: ${FINISH}`);
}

const by = { manager: "kubelet" };

function act(pod: KubeObject, name: string, run: () => void): Act {
  return { name: `Pod ${pod.metadata.name}: ${name}`, run };
}

/** Nodes that take pods; a store without nodes has one that is never mentioned. */
function liveNodes(store: ObjectStore): string[] {
  const nodes = store.list("Node");
  if (nodes.length === 0) return ["node-1"];
  return nodes.filter((node) => !isDead(node)).map((node) => node.metadata.name);
}

function onDeadNode(store: ObjectStore, pod: KubeObject): boolean {
  const name = pod.spec?.nodeName;
  const node = typeof name === "string" ? store.get({ kind: "Node", name }) : undefined;
  return node !== undefined && isDead(node);
}

function bind(store: ObjectStore, pod: KubeObject): KubeObject {
  if (pod.spec?.nodeName !== undefined) return pod;
  const [nodeName] = liveNodes(store);
  return store.update({ ...pod, spec: { ...pod.spec, nodeName } }, { manager: "kube-scheduler" });
}

function start(store: ObjectStore, pod: KubeObject): void {
  const bound = bind(store, pod);
  const time = timeText(store.now());
  const conditions = [{ type: "Ready", status: "True", lastTransitionTime: time }];
  store.update(
    { ...bound, status: { phase: "Running", conditions, podIP: "10.0.0.1", startTime: time } },
    { ...by, subresource: "status" },
  );
}

function end(store: ObjectStore, pod: KubeObject, phase: "Succeeded" | "Failed"): void {
  store.update({ ...pod, status: { phase } }, { ...by, subresource: "status" });
}

/** What is deleted ends, and its finalizers with it, as kwok does. */
function finish(store: ObjectStore, pod: KubeObject): void {
  const { finalizers, ...metadata } = pod.metadata;
  const released = finalizers === undefined ? pod : store.update({ ...pod, metadata }, by);
  const ref = refOf(pod);
  if (store.get(ref) === undefined) return;
  store.remove(ref, { uid: released.metadata.uid, gracePeriodSeconds: 0 });
}

export function endOfPod(store: ObjectStore, pod: KubeObject): Act {
  return act(pod, FINISH, () => finish(store, pod));
}

function ofPod(store: ObjectStore, pod: KubeObject): Act[] {
  if (onDeadNode(store, pod)) return [];
  if (isDeleting(pod)) return [endOfPod(store, pod)];
  const annotations = pod.metadata.annotations ?? {};
  const phase = phaseOf(pod);
  if (phase === "Pending") {
    if (pod.spec?.nodeName === undefined && liveNodes(store).length === 0) return [];
    const isStuck = annotations[NEVER_READY] !== undefined;
    // A ReplicaSet's controller does not look at the node, so it may be given when the pod starts.
    const mayBind = isStuck || controllerOf(pod)?.kind !== "ReplicaSet";
    return [
      ...(isStuck ? [] : [act(pod, "start", () => start(store, pod))]),
      ...(mayBind && pod.spec?.nodeName === undefined
        ? [act(pod, "bind", () => void bind(store, pod))]
        : []),
    ];
  }
  if (phase !== "Running" || controllerOf(pod)?.kind !== "Job") return [];
  const last = annotations[FAILS] === undefined ? "Succeeded" : "Failed";
  return [act(pod, last, () => end(store, pod, last))];
}

/** What the scheduler, the kubelets and the containers do: pods start, get ready at once, end. */
export function acts(store: ObjectStore): Act[] {
  return store.list("Pod").flatMap((pod) => ofPod(store, pod));
}
