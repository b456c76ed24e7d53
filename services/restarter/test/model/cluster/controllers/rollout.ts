import { dig } from "@rollcast/kube/object";
import type { ObjectStore } from "../object-store.ts";
import { isEqual } from "../object.ts";
import type { Draft, Fields, KubeObject } from "../object.ts";
import { conditionOf, isDeleting, ownerReference, refusalOf } from "./parts.ts";
import { withCondition, withPausedConditions } from "./rollout-conditions.ts";
import { POD_HASH, act, contextOf, normal, wanted } from "./rollout-context.ts";
import type { Context } from "./rollout-context.ts";
import { restartOf } from "./rollout-restart.ts";
import { DESIRED, isScalingEvent, scalingOf } from "./rollout-scale.ts";
import { afterScalingEvent, finished, isChanged, statusOf } from "./rollout-status.ts";
import type { Act } from "./act.ts";

const by = { manager: "rollouts-controller" };

function newReplicaSet(context: Context): Draft {
  const { rollout, template, hash } = context;
  const { name, namespace } = rollout.metadata;
  const labels = { ...(dig(template, "metadata", "labels") as Fields), [POD_HASH]: hash };
  const minReadySeconds = rollout.spec?.minReadySeconds;
  return {
    apiVersion: "apps/v1",
    kind: "ReplicaSet",
    metadata: {
      name: `${name}-${hash}`,
      ...(namespace === undefined ? {} : { namespace }),
      labels: labels as Record<string, string>,
      annotations: { [DESIRED]: String(wanted(context)) },
      ownerReferences: [ownerReference(rollout)],
    },
    spec: {
      replicas: 0,
      ...(minReadySeconds === undefined ? {} : { minReadySeconds }),
      selector: { matchLabels: labels },
      template: { ...template, metadata: { ...(template.metadata as Fields), labels } },
    },
  };
}

function written(context: Context, status: Fields): (() => void)[] {
  const { store, rollout } = context;
  if (isEqual(rollout.status ?? {}, status)) return [];
  return [() => void store.update({ ...rollout, status }, { ...by, subresource: "status" })];
}

/**
 * A new ReplicaSet, and the Rollout written for its revision, as the controller's types have it:
 * that raises its generation where the owner wrote it otherwise.
 */
function create(context: Context): Act[] {
  const { store, rollout } = context;
  const draft = newReplicaSet(context);
  if (refusalOf(store, draft) !== undefined) return [];
  const own = rollout.spec?.template;
  const run = () => {
    store.create(draft, by);
    const template = own === undefined ? {} : { template: normal(own as Fields) };
    const spec = { ...rollout.spec, ...template };
    const now = store.update({ ...rollout, spec }, by);
    const condition = ["Progressing", "True", "NewReplicaSetCreated"] as const;
    const status = withCondition(context, now.status ?? {}, condition);
    store.update({ ...now, status }, { ...by, subresource: "status" });
  };
  return [act(context, "create a ReplicaSet", run)];
}

type Plan = { readonly name: string; readonly writes: readonly (() => void)[] };

function rolled(context: Context): Plan {
  if (isChanged(context)) {
    const status = statusOf(context, { atRest: false, restarted: false });
    return { name: "begin", writes: written(context, status) };
  }
  const restart = restartOf(context);
  if (restart !== undefined && restart.writes.length > 0) {
    return { name: "restart pods", writes: restart.writes };
  }
  const { writes, scaled } = scalingOf(context);
  const restarted = restart?.isDone === true;
  const status = statusOf(context, { atRest: !scaled, restarted });
  return { name: scaled ? "scale" : "status", writes: [...writes, ...written(context, status)] };
}

/** One sync, after `reconcile` of Argo Rollouts (rollout/context.go). */
function planOf(context: Context): Plan {
  const { rollout } = context;
  const paused = withPausedConditions(context);
  if (paused !== (rollout.status ?? paused)) {
    const isAborted = rollout.status?.abort === true;
    const status = finished(context, paused, isAborted);
    const shown = { ...status, conditions: paused.conditions };
    return { name: "pause or resume", writes: written(context, shown) };
  }
  if (conditionOf(rollout, "Progressing") === undefined) {
    const condition = ["Progressing", "True", "FoundNewReplicaSet"] as const;
    const status = withCondition(context, rollout.status ?? {}, condition);
    return { name: "find its ReplicaSet", writes: written(context, status) };
  }
  if (!isScalingEvent(context)) return rolled(context);
  const { writes } = scalingOf(context);
  return { name: "sizes", writes: [...writes, ...written(context, afterScalingEvent(context))] };
}

function ofRollout(store: ObjectStore, rollout: KubeObject): Act[] {
  const context = contextOf(store, rollout);
  if (isDeleting(rollout)) return [];
  if (context.newest === undefined) return create(context);
  const { name, writes } = planOf(context);
  if (writes.length === 0) return [];
  const run = () => {
    for (const write of writes) write();
  };
  return [act(context, name, run)];
}

/**
 * What Argo's controller may do next, after v1.10.1 (https://github.com/argoproj/argo-rollouts,
 * `rollout/`), beside which it has not run: canaries with weights and pauses, aborts, `restartAt`
 * and `workloadRef`; neither blue-green, nor traffic routing, analyses and experiments.
 */
export function acts(store: ObjectStore): Act[] {
  return store.list("Rollout").flatMap((rollout) => ofRollout(store, rollout));
}
