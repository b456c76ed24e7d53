import { FAILS, NEVER_READY } from "@rollcast/testkit/kwok";
import type { ObjectStore } from "../object-store.ts";
import { refOf } from "../object.ts";
import type { KubeObject } from "../object.ts";
import { timeText } from "../store-state.ts";
import { isDead, isTainted } from "./node.ts";
import { controllerOf, isDeleting, isReady, phaseOf } from "./parts.ts";
import { NO_FAULTS } from "./act.ts";
import type { Act, Faults } from "./act.ts";

const FINISH = "finish";

/** Whether the act is that a deleted pod has ended. */
export function isEndOfPod({ name }: Act): boolean {
  return name.startsWith("Pod ") && name.endsWith(`: ${FINISH}`);
}

const by = { manager: "kubelet" };

function act(pod: KubeObject, name: string, run: () => void): Act {
  return { name: `Pod ${pod.metadata.name}: ${name}`, run };
}

const hasNodes = (store: ObjectStore) => store.list("Node").length > 0;

/**
 * The nodes that a pod may be on: its own, or else those that take pods. A store without nodes has
 * one that is never mentioned.
 */
function nodesFor(store: ObjectStore, pod: KubeObject): string[] {
  const name = pod.spec?.nodeName;
  if (typeof name === "string") return [name];
  if (!hasNodes(store)) return ["node-1"];
  return store
    .list("Node")
    .filter((node) => !isTainted(node))
    .map((node) => node.metadata.name);
}

function isAlive(store: ObjectStore, name: unknown): boolean {
  const node = typeof name === "string" ? store.get({ kind: "Node", name }) : undefined;
  return node === undefined || !isDead(node);
}

function bind(store: ObjectStore, pod: KubeObject, nodeName: string): KubeObject {
  if (pod.spec?.nodeName !== undefined) return pod;
  return store.update({ ...pod, spec: { ...pod.spec, nodeName } }, { manager: "kube-scheduler" });
}

function readyCondition(store: ObjectStore) {
  return { type: "Ready", status: "True", lastTransitionTime: timeText(store.now()) };
}

/** A container that needs a ConfigMap which is not there waits for it, and so does its pod. */
function lacksSource(store: ObjectStore, { metadata, spec }: KubeObject): boolean {
  const sources = ((spec?.containers ?? []) as readonly Container[]).flatMap(({ envFrom = [] }) =>
    envFrom.flatMap(({ configMapRef }) => configMapRef ?? []),
  );
  const { namespace = "" } = metadata;
  return sources.some(
    ({ name, optional }) =>
      optional !== true && store.get({ kind: "ConfigMap", namespace, name }) === undefined,
  );
}

type Container = {
  readonly envFrom?: readonly {
    readonly configMapRef?: { readonly name: string; readonly optional?: boolean };
  }[];
};

function start(store: ObjectStore, pod: KubeObject, nodeName: string): void {
  const bound = bind(store, pod, nodeName);
  const conditions = [readyCondition(store)];
  const startedAt = timeText(store.now());
  const containerStatuses = [{ state: { running: { startedAt } } }];
  const running = { phase: "Running", podIP: "10.0.0.1", startTime: startedAt };
  store.update(
    { ...bound, status: { ...running, conditions, containerStatuses } },
    { ...by, subresource: "status" },
  );
}

/** A kubelet that is back says again what it knows of its pods. */
function readyAgain(store: ObjectStore, pod: KubeObject): void {
  const status = { ...pod.status, conditions: [readyCondition(store)] };
  store.update({ ...pod, status }, { ...by, subresource: "status" });
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

/** Of a pod that does not run yet. */
function ofPending(store: ObjectStore, pod: KubeObject): Act[] {
  const isStuck = pod.metadata.annotations?.[NEVER_READY] !== undefined || lacksSource(store, pod);
  const isBound = pod.spec?.nodeName !== undefined;
  // A ReplicaSet's controller does not look at the node, so it may be given when the pod starts,
  // unless that node may die before.
  const mayBind = isStuck || controllerOf(pod)?.kind !== "ReplicaSet" || hasNodes(store);
  return nodesFor(store, pod).flatMap((node) => [
    ...(isStuck || !isAlive(store, node)
      ? []
      : [act(pod, `start on ${node}`, () => start(store, pod, node))]),
    ...(mayBind && !isBound
      ? [act(pod, `bind to ${node}`, () => void bind(store, pod, node))]
      : []),
  ]);
}

function ofPod(store: ObjectStore, pod: KubeObject, faults: Faults): Act[] {
  const phase = phaseOf(pod);
  if (phase === "Pending" && !isDeleting(pod)) return ofPending(store, pod);
  if (!isAlive(store, pod.spec?.nodeName)) return [];
  if (isDeleting(pod)) return [endOfPod(store, pod)];
  if (phase !== "Running") return [];
  const isJobs = controllerOf(pod)?.kind === "Job";
  const last = pod.metadata.annotations?.[FAILS] === undefined ? "Succeeded" : "Failed";
  const isDone = isReady(pod) || faults.has("stays-unready");
  return [
    ...(isDone ? [] : [act(pod, "ready again", () => readyAgain(store, pod))]),
    ...(isJobs ? [act(pod, last, () => end(store, pod, last))] : []),
  ];
}

/** What the scheduler, the kubelets and the containers do: pods start, get ready at once, end. */
export function acts(store: ObjectStore, faults: Faults = NO_FAULTS): Act[] {
  return store.list("Pod").flatMap((pod) => ofPod(store, pod, faults));
}
