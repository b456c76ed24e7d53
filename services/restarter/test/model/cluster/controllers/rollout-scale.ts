import type { KubeObject } from "../object.ts";
import { sum } from "./deployment-status.ts";
import { statusNumber } from "./parts.ts";
import { countsOf } from "./rollout-counts.ts";
import { available, by, isPausedByOwner, limitsOf, size, wanted } from "./rollout-context.ts";
import type { Context } from "./rollout-context.ts";

export const DESIRED = "rollout.argoproj.io/desired-replicas";

/** What a sync writes; `scaled` ends the part of it that scales. */
export type Scaling = { readonly writes: readonly (() => void)[]; readonly scaled: boolean };

const NOTHING: Scaling = { writes: [], scaled: false };

function resize(context: Context, replicaSet: KubeObject, replicas: number): Scaling {
  const desired = String(wanted(context));
  const scaled = size(replicaSet) !== replicas;
  if (!scaled && replicaSet.metadata.annotations?.[DESIRED] === desired) return NOTHING;
  const annotations = { ...replicaSet.metadata.annotations, [DESIRED]: desired };
  const metadata = { ...replicaSet.metadata, annotations };
  const spec = { ...replicaSet.spec, replicas };
  return {
    writes: [() => void context.store.update({ ...replicaSet, metadata, spec }, by)],
    scaled,
  };
}

type Wish = { readonly replicaSet: KubeObject; readonly to: number };

/** Those of their pods that are not available go first, then as many as may be unavailable. */
function othersScaled(context: Context): readonly Wish[] {
  const active = context.others.filter((replicaSet) => size(replicaSet) > 0);
  const cleaned: Wish[] = [];
  for (const replicaSet of active) {
    const living = available(replicaSet);
    if (living > size(replicaSet))
      return cleaned.filter(({ replicaSet: other, to }) => to !== size(other));
    cleaned.push({ replicaSet, to: living });
  }
  const least = wanted(context) - limitsOf(context).maxUnavailable;
  let spare = sum(context.all, available) - least;
  const drained = cleaned.toReversed().map(({ replicaSet, to }) => {
    const less = Math.max(0, Math.min(to, spare));
    spare -= less;
    return { replicaSet, to: to - less };
  });
  return drained.filter(({ replicaSet, to }) => to !== size(replicaSet));
}

/** The stable ReplicaSet, then the newest, then the others: one of these in a sync. */
export function scalingOf(context: Context): Scaling {
  const { newest, stable } = context;
  if (isPausedByOwner(context) || newest === undefined) return NOTHING;
  const counts = countsOf(context);
  const writes: (() => void)[] = [];
  const parts = [
    () =>
      stable === undefined || stable === newest ? NOTHING : resize(context, stable, counts.stable),
    () => resize(context, newest, counts.canary),
  ];
  for (const part of parts) {
    const done = part();
    writes.push(...done.writes);
    if (done.scaled) return { writes, scaled: true };
  }
  const others = othersScaled(context).map(({ replicaSet, to }) => resize(context, replicaSet, to));
  writes.push(...others.flatMap((done) => done.writes));
  return { writes, scaled: others.length > 0 };
}

/** Somebody has scaled the Rollout, and its ReplicaSets do not say so yet. */
export function isScalingEvent(context: Context): boolean {
  const { newest, stable } = context;
  const desired = String(wanted(context));
  return [newest, stable].some(
    (replicaSet) =>
      replicaSet !== undefined &&
      size(replicaSet) > 0 &&
      replicaSet.metadata.annotations?.[DESIRED] !== desired,
  );
}

/** What the ReplicaSets of a Rollout count together. */
export function countIn(replicaSets: readonly KubeObject[], name: string): number {
  return sum(replicaSets, (replicaSet) => statusNumber(replicaSet, name));
}
