import { dig } from "@rollcast/kube/object";
import type { ObjectStore } from "../object-store.ts";
import { isEqual } from "../object.ts";
import type { Fields, KubeObject } from "../object.ts";
import type { DeploymentState } from "./deployment-status.ts";
import { POD_HASH, ownedBy } from "./parts.ts";
import { unseen } from "./unseen-size.ts";
import type { Act, Faults } from "./act.ts";

export const REVISION = "deployment.kubernetes.io/revision";
export const HISTORY = "deployment.kubernetes.io/revision-history";
const NOT_COPIED = new Set(["kubectl.kubernetes.io/last-applied-configuration", REVISION, HISTORY]);
/**
 * The version of the Deployment that a ReplicaSet was made for; a note of the model, not of
 * Kubernetes.
 */
export const MADE_FOR = "madeFor";
export const by = { manager: "kube-controller-manager" };

export type Context = DeploymentState & { readonly store: ObjectStore };

export const revision = (object: KubeObject) =>
  Number(object.metadata.annotations?.[REVISION] ?? 0);

/** A ReplicaSet's template without the label that tells it from others. */
function plainTemplate(replicaSet: KubeObject): unknown {
  const template = replicaSet.spec?.template as Fields;
  const { [POD_HASH]: _, ...labels } = (dig(template, "metadata", "labels") ?? {}) as Fields;
  const metadata = { ...(template.metadata as Fields), labels };
  return { ...template, metadata };
}

export function contextOf(store: ObjectStore, deployment: KubeObject, faults: Faults): Context {
  const all = ownedBy(store, "ReplicaSet", deployment);
  const template = deployment.spec?.template;
  const newest = all.find((replicaSet) => isEqual(plainTemplate(replicaSet), template));
  const old = all.filter((replicaSet) => replicaSet !== newest);
  return { store, deployment, newest, old, now: store.now(), faults };
}

/** What the controller may still see, where it has just made an old ReplicaSet larger. */
export function staleContexts(context: Context): Context[] {
  const { store, old } = context;
  const replicaSets = old.map((replicaSet) => unseen(store, replicaSet));
  return replicaSets.every((replicaSet, i) => replicaSet === old[i])
    ? []
    : [{ ...context, old: replicaSets }];
}

export function act({ deployment }: Context, name: string, run: () => void): Act {
  return { name: `Deployment ${deployment.metadata.name}: ${name}`, run };
}

export function copied(deployment: KubeObject): Record<string, string> {
  const all = Object.entries(deployment.metadata.annotations ?? {});
  return Object.fromEntries(all.filter(([name]) => !NOT_COPIED.has(name)));
}

export function isObserved({ status, metadata }: KubeObject): boolean {
  return status?.observedGeneration === metadata.generation;
}
