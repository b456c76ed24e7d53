import { dig } from "@rollcast/kube/object";
import type { ObjectStore } from "../object-store.ts";
import type { Fields, KubeObject } from "../object.ts";
import { hashOf, ownedBy, scaled, specNumber, statusNumber } from "./parts.ts";
import type { Act, Faults } from "./act.ts";

export const by = { manager: "rollouts-controller" };
export const POD_HASH = "rollouts-pod-template-hash";

/** What one sync of Argo's controller reads. */
export type Context = {
  readonly store: ObjectStore;
  readonly rollout: KubeObject;
  /** The workload whose template it takes, where it takes one. */
  readonly lender: KubeObject | undefined;
  readonly template: Fields;
  readonly hash: string;
  readonly newest: KubeObject | undefined;
  readonly stable: KubeObject | undefined;
  /** Neither the newest nor the stable one, the oldest first. */
  readonly others: readonly KubeObject[];
  readonly all: readonly KubeObject[];
  readonly faults: Faults;
};

export const podHashOf = ({ metadata }: KubeObject): string | undefined =>
  metadata.labels?.[POD_HASH];
export const size = (replicaSet: KubeObject) => specNumber(replicaSet, "replicas", 1);
export const available = (replicaSet: KubeObject) => statusNumber(replicaSet, "availableReplicas");
export const wanted = ({ rollout }: Pick<Context, "rollout">) => specNumber(rollout, "replicas", 1);
export const isPausedByOwner = ({ rollout }: Context) => rollout.spec?.paused === true;

export function act({ rollout }: Context, name: string, run: () => void): Act {
  return { name: `Rollout ${rollout.metadata.name}: ${name}`, run };
}

/** As Argo's controller reads and writes it: its types have `resources` in every container. */
export function normal(template: Fields): Fields {
  const containers = dig(template, "spec", "containers");
  if (!Array.isArray(containers)) return template;
  const all = (containers as Fields[]).map((container) => ({ resources: {}, ...container }));
  return { ...template, spec: { ...(template.spec as Fields), containers: all } };
}

function lenderOf(store: ObjectStore, { spec, metadata }: KubeObject): KubeObject | undefined {
  const kind = dig(spec, "workloadRef", "kind");
  const name = dig(spec, "workloadRef", "name");
  if (typeof kind !== "string" || typeof name !== "string") return undefined;
  const { namespace } = metadata;
  return store.get({ kind, name, ...(namespace === undefined ? {} : { namespace }) });
}

/** The hash of a template, and those that it got for collisions, the last at last. */
function hashesOf(template: Fields, collisions: number): string[] {
  const counted = Array.from({ length: collisions }, (_, i) => hashOf([template, i + 1]));
  return [hashOf(template), ...counted];
}

export function contextOf(store: ObjectStore, rollout: KubeObject, faults: Faults): Context {
  const lender = lenderOf(store, rollout);
  const template = normal((lender?.spec?.template ?? rollout.spec?.template ?? {}) as Fields);
  const all = ownedBy(store, "ReplicaSet", rollout);
  const names = hashesOf(template, statusNumber(rollout, "collisionCount"));
  const newest = all.find((replicaSet) => names.includes(String(podHashOf(replicaSet))));
  const hash = (newest && podHashOf(newest)) ?? String(names.at(-1));
  const stableHash = rollout.status?.stableRS;
  const stable =
    stableHash === undefined
      ? undefined
      : all.find((replicaSet) => podHashOf(replicaSet) === stableHash);
  const others = all.filter((replicaSet) => replicaSet !== newest && replicaSet !== stable);
  return { store, rollout, lender, template, hash, newest, stable, others, all, faults };
}

export function stepsOf({ rollout }: Context): readonly Fields[] {
  const steps = dig(rollout.spec, "strategy", "canary", "steps");
  return Array.isArray(steps) ? (steps as Fields[]) : [];
}

/** The step at which it stands; there is none before its first, nor after its last. */
export function currentStep(context: Context): { index: number; step: Fields | undefined } {
  const index = context.rollout.status?.currentStepIndex;
  const at = typeof index === "number" ? index : 0;
  return { index: at, step: stepsOf(context)[at] };
}

export type Limits = { readonly maxSurge: number; readonly maxUnavailable: number };

export function limitsOf(context: Context): Limits {
  const replicas = wanted(context);
  const canary = dig(context.rollout.spec, "strategy", "canary");
  const maxSurge = scaled(dig(canary, "maxSurge") ?? "25%", replicas, "up");
  const down = scaled(dig(canary, "maxUnavailable") ?? "25%", replicas, "down");
  const isWrong = context.faults.has("ignores-unavailable");
  const maxUnavailable = isWrong ? replicas : maxSurge === 0 && down === 0 ? 1 : down;
  return { maxSurge, maxUnavailable: Math.min(maxUnavailable, replicas) };
}
