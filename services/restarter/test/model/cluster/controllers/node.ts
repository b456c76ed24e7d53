import type { ObjectStore } from "../object-store.ts";
import { refOf } from "../object.ts";
import type { KubeObject } from "../object.ts";
import { timeText } from "../store-state.ts";
import { conditionOf, isDeleting, isReady } from "./parts.ts";
import type { Act } from "./act.ts";

/** A node that does not answer: its pods never get ready, and never finish. */
export function isDead(node: KubeObject): boolean {
  const ready = conditionOf(node, "Ready");
  return ready !== undefined && ready.status !== "True";
}

/** Pods of a dead node that are still taken for ready, and those that are still to be evicted. */
function ofPod(store: ObjectStore, pod: KubeObject): Act[] {
  const { name } = pod.metadata;
  const evict = {
    name: `Pod ${name}: evict from its dead node`,
    run: () => void store.remove(refOf(pod), { manager: "kube-controller-manager" }),
  };
  const unready = {
    name: `Pod ${name}: not ready on its dead node`,
    run: () => {
      const condition = {
        type: "Ready",
        status: "False",
        lastTransitionTime: timeText(store.now()),
      };
      store.update(
        { ...pod, status: { ...pod.status, conditions: [condition] } },
        { manager: "kube-controller-manager", subresource: "status" },
      );
    },
  };
  const tolerant = pod.metadata.ownerReferences?.some(({ kind }) => kind === "DaemonSet") === true;
  const mayEvict = !isDeleting(pod) && !tolerant;
  return [...(isReady(pod) ? [unready] : []), ...(mayEvict && !isReady(pod) ? [evict] : [])];
}

/**
 * The node lifecycle controller; it does not run in the tests' control plane, so it is not
 * compared.
 */
export function acts(store: ObjectStore): Act[] {
  const dead = new Set(
    store
      .list("Node")
      .filter(isDead)
      .map(({ metadata }) => metadata.name),
  );
  return store
    .list("Pod")
    .filter(({ spec }) => typeof spec?.nodeName === "string" && dead.has(spec.nodeName))
    .flatMap((pod) => ofPod(store, pod));
}
