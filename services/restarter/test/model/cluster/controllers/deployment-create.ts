import { dig } from "@rollcast/kube/object";
import { refOf } from "../object.ts";
import type { Draft, Fields, KubeObject } from "../object.ts";
import {
  MADE_FOR,
  REVISION,
  act,
  by,
  copied,
  isObserved,
  revision,
  staleContexts,
} from "./deployment-context.ts";
import type { Context } from "./deployment-context.ts";
import { newSize, sizeAnnotations } from "./deployment-scale.ts";
import { hasDeadline, withCondition } from "./deployment-status.ts";
import {
  POD_HASH,
  conditionOf,
  conditionsOf,
  hashOf,
  ownerReference,
  refusalOf,
  specNumber,
  statusActs,
  statusNumber,
  writeStatus,
} from "./parts.ts";
import { SIZE_BEFORE } from "./unseen-size.ts";
import type { Act } from "./act.ts";

type Made = { readonly collisions: number; readonly madeFor: string };

function newReplicaSet(context: Context, { collisions, madeFor }: Made): Draft {
  const { deployment, old } = context;
  const template = deployment.spec?.template as Fields;
  const hash = hashOf(collisions === 0 ? template : [template, collisions]);
  const { name, namespace } = deployment.metadata;
  const labels = {
    ...(dig(template, "metadata", "labels") as Record<string, string>),
    [POD_HASH]: hash,
  };
  const selector = deployment.spec?.selector as Fields | undefined;
  const next = Math.max(0, ...old.map(revision)) + 1;
  const annotations = { ...copied(deployment), ...sizeAnnotations(deployment) };
  return {
    apiVersion: "apps/v1",
    kind: "ReplicaSet",
    metadata: {
      name: `${name}-${hash}`,
      ...(namespace === undefined ? {} : { namespace }),
      labels,
      annotations: { ...annotations, [REVISION]: String(next) },
      ownerReferences: [ownerReference(deployment)],
    },
    [MADE_FOR]: madeFor,
    [SIZE_BEFORE]: 0,
    spec: {
      replicas: newSize(context, 0),
      minReadySeconds: specNumber(deployment, "minReadySeconds", 0),
      selector: { matchLabels: { ...(selector?.matchLabels as Fields), [POD_HASH]: hash } },
      template: { ...template, metadata: { ...(template.metadata as Fields), labels } },
    },
  };
}

/**
 * The ReplicaSet of this name is another Deployment's, which was deleted: the next one is named
 * otherwise.
 */
function collide({ store, deployment }: Context): void {
  const collisionCount = statusNumber(deployment, "collisionCount") + 1;
  writeStatus(store, deployment, { ...deployment.status, collisionCount });
}

/**
 * Where the controller has written the Deployment since it was edited, it may act once more on what
 * it was before. And it may not see yet that it has made another ReplicaSet larger.
 */
function staleReplicaSets(context: Context, { collisions, madeFor }: Made): Draft[] {
  const { deployment } = context;
  const isResumed = conditionOf(deployment, "Progressing")?.reason === "DeploymentResumed";
  const stale = (count: number) => newReplicaSet(context, { collisions: count, madeFor: "" });
  return [
    ...(collisions > 0 ? [stale(collisions - 1)] : []),
    ...(isResumed || isObserved(deployment) ? [stale(collisions)] : []),
    ...staleContexts(context).map((late) => newReplicaSet(late, { collisions, madeFor })),
  ];
}

/** The ReplicaSet of a new template, as its controller makes it or fails to. */
export function createActs(context: Context): Act[] {
  const { store, deployment, now } = context;
  const collisions = statusNumber(deployment, "collisionCount");
  const made: Made = { collisions, madeFor: deployment.metadata.resourceVersion };
  const draft = newReplicaSet(context, made);
  const refused = refusalOf(store, draft);
  if (refused === undefined) {
    const isFree = (candidate: Draft) => store.get(refOf(candidate as KubeObject)) === undefined;
    const creations = [draft, ...staleReplicaSets(context, made)]
      .filter(isFree)
      .map((candidate) =>
        act(context, `create ${candidate.metadata.name}`, () => void store.create(candidate, by)),
      );
    return isFree(draft)
      ? creations
      : [...creations, act(context, "collide", () => collide(context))];
  }
  if (!hasDeadline(deployment)) return [];
  const condition = {
    type: "Progressing",
    status: "False",
    reason: "ReplicaSetCreateError",
    message: refused.message,
  } as const;
  const conditions = withCondition(conditionsOf(deployment), condition, now);
  return statusActs(store, deployment, { ...deployment.status, conditions });
}
