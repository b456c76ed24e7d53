import { dig } from "@rollcast/kube/object";
import { refOf } from "../object.ts";
import type { Draft, Fields, KubeObject } from "../object.ts";
import { MADE_FOR } from "./deployment-context.ts";
import {
  conditionOf,
  hashOf,
  omitEmpty,
  ownerReference,
  refusalOf,
  statusNumber,
} from "./parts.ts";
import { withCondition } from "./rollout-conditions.ts";
import { POD_HASH, act, by, normal, wanted } from "./rollout-context.ts";
import type { Context } from "./rollout-context.ts";
import { DESIRED } from "./rollout-scale.ts";
import type { Act } from "./act.ts";

const REVISION = "rollout.argoproj.io/revision";

const revision = ({ metadata }: KubeObject) => Number(metadata.annotations?.[REVISION] ?? 0);
const next = ({ all, newest }: Context) =>
  Math.max(0, ...all.filter((replicaSet) => replicaSet !== newest).map(revision)) + 1;

/** As the controller's types have it: without what they leave out where it is empty. */
function normalSpec({ spec = {} }: KubeObject): Fields {
  const { paused, minReadySeconds, template, strategy, ...rest } = spec;
  const canary = dig(strategy, "canary") as Fields | undefined;
  const numbers = ["maxSurge", "maxUnavailable"];
  return omitEmpty(
    {
      ...rest,
      minReadySeconds,
      paused: paused === true ? paused : undefined,
      template: template === undefined ? undefined : normal(template as Fields),
      strategy:
        canary === undefined
          ? strategy
          : { ...(strategy as Fields), canary: omitEmpty(canary, numbers) },
    },
    ["replicas"],
  );
}

/** Writes the revision, and with it the whole spec as the controller's types have it. */
function withRevision({ store, rollout }: Context, to: number): KubeObject {
  const annotations = { ...rollout.metadata.annotations, [REVISION]: String(to) };
  const metadata = { ...rollout.metadata, annotations };
  return store.update({ ...rollout, metadata, spec: normalSpec(rollout) }, by);
}

function newReplicaSet(context: Context, madeFor: string): Draft {
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
      annotations: { [DESIRED]: String(wanted(context)), [REVISION]: String(next(context)) },
      ownerReferences: [ownerReference(rollout)],
    },
    spec: {
      replicas: 0,
      ...(minReadySeconds === undefined ? {} : { minReadySeconds }),
      selector: { matchLabels: labels },
      template: { ...template, metadata: { ...(template.metadata as Fields), labels } },
    },
    [MADE_FOR]: madeFor,
  };
}

function isTaken(context: Context): boolean {
  return context.store.get(refOf(newReplicaSet(context, "") as KubeObject)) !== undefined;
}

function createAct(context: Context, interrupted: boolean): Act[] {
  const { store, rollout } = context;
  const draft = newReplicaSet(context, "");
  if (isTaken(context)) {
    const collisionCount = statusNumber(rollout, "collisionCount") + 1;
    const status = { ...rollout.status, collisionCount };
    const count = () => void store.update({ ...rollout, status }, { ...by, subresource: "status" });
    return [act(context, "count a collision", count)];
  }
  if (refusalOf(store, draft) !== undefined) return [];
  const run = () => {
    const { metadata } = interrupted ? rollout : withRevision(context, next(context));
    store.create(newReplicaSet(context, interrupted ? "" : metadata.resourceVersion), by);
  };
  return [act(context, "create a ReplicaSet", run)];
}

/**
 * Where the name is taken, by the ReplicaSet of a Rollout that was here before, it counts that, for
 * another name; it may see late that it did, when the name is free. Else a new ReplicaSet, and the
 * Rollout written for its revision: that raises its generation where the owner wrote it otherwise.
 * With `interrupted` somebody writes the Rollout between the two.
 */
export function createActs(context: Context, interrupted = false): Act[] {
  const before = { ...context, hash: hashOf(context.template) };
  const late = before.hash === context.hash || isTaken(before) ? [] : createAct(before, true);
  return [...createAct(context, interrupted), ...late];
}

/** What is written of revisions before anything else: first that of the newest ReplicaSet. */
export function revisionAct(context: Context): Act | undefined {
  const { store, newest, rollout } = context;
  if (newest === undefined) return undefined;
  const to = next(context);
  if (revision(newest) < to) {
    const annotations = { ...newest.metadata.annotations, [REVISION]: String(to) };
    const metadata = { ...newest.metadata, annotations };
    return act(context, "raise a revision", () => void store.update({ ...newest, metadata }, by));
  }
  if (revision(rollout) === revision(newest)) return undefined;
  const run = () => void withRevision(context, revision(newest));
  return act(context, "take over a revision", run);
}

function sayAct(context: Context, reason: string): Act | undefined {
  const { store, rollout } = context;
  const before = rollout.status ?? {};
  const status = withCondition(context, before, ["Progressing", "True", reason]);
  if (status === before) return undefined;
  const write = () => void store.update({ ...rollout, status }, { ...by, subresource: "status" });
  return act(context, `say ${reason}`, write);
}

/** That its ReplicaSet is new, in the sync that made it, unless somebody has written it since. */
export function madeAct(context: Context): Act | undefined {
  const isMade = context.newest?.[MADE_FOR] === context.rollout.metadata.resourceVersion;
  return isMade ? sayAct(context, "NewReplicaSetCreated") : undefined;
}

/** That its ReplicaSet was there, where nothing has been said yet. */
export function foundAct(context: Context): Act | undefined {
  const isFound = conditionOf(context.rollout, "Progressing") !== undefined;
  return isFound ? undefined : sayAct(context, "FoundNewReplicaSet");
}
