import { isEqual, refOf } from "../object.ts";
import { HISTORY, MADE_FOR, REVISION, act, by, copied, revision } from "./deployment-context.ts";
import type { Context } from "./deployment-context.ts";
import { hasDeadline, isComplete, size, withCondition } from "./deployment-status.ts";
import { conditionOf, conditionsOf, specNumber, statusNumber, writeStatus } from "./parts.ts";
import type { Act } from "./act.ts";

/** The newest ReplicaSet gets the Deployment's annotations, and a revision above all others. */
export function annotateAct(context: Context): Act[] {
  const { store, deployment, newest, old } = context;
  if (newest === undefined) return [];
  const present = newest.metadata.annotations ?? {};
  const next = Math.max(0, ...old.map(revision)) + 1;
  const raised = revision(newest) < next;
  const history = [present[HISTORY], present[REVISION]].filter((text) => text !== undefined);
  const annotations = {
    ...present,
    ...copied(deployment),
    ...(raised ? { [REVISION]: String(next) } : {}),
    ...(raised && history.length > 0 ? { [HISTORY]: history.join(",") } : {}),
  };
  const minReadySeconds = specNumber(deployment, "minReadySeconds", 0);
  const same = specNumber(newest, "minReadySeconds", 0) === minReadySeconds;
  if (same && isEqual(annotations, present)) return [];
  const metadata = { ...newest.metadata, annotations };
  const spec = { ...newest.spec, minReadySeconds };
  return [
    act(context, `annotate ${newest.metadata.name}`, () => {
      store.update({ ...newest, metadata, spec }, by);
    }),
  ];
}

/**
 * The Deployment gets the revision of its newest ReplicaSet, and says that this is new or was
 * there.
 */
export function revisionActs(context: Context): Act[] {
  const { store, deployment, newest, now } = context;
  if (newest === undefined) return [];
  const missing = hasDeadline(deployment) && conditionOf(deployment, "Progressing") === undefined;
  const behind = revision(deployment) !== revision(newest);
  if (!behind && !missing) return [];
  const annotations = { ...deployment.metadata.annotations, [REVISION]: String(revision(newest)) };
  const object = { ...deployment, metadata: { ...deployment.metadata, annotations } };
  const write = (reason: string | undefined) => {
    if (reason === undefined) return writeStatus(store, object, deployment.status ?? {});
    const condition = { type: "Progressing", status: "True", reason } as const;
    const conditions = withCondition(conditionsOf(deployment), condition, now);
    return writeStatus(store, object, { ...deployment.status, conditions });
  };
  // Written in the sync that made it, unless somebody has written the Deployment meanwhile.
  const isMade = newest[MADE_FOR] === deployment.metadata.resourceVersion;
  const made = act(context, "created a ReplicaSet", () => write("NewReplicaSetCreated"));
  const existingAct = act(context, "found its ReplicaSet", () =>
    write(missing ? "FoundNewReplicaSet" : undefined),
  );
  return [isMade && hasDeadline(deployment) ? made : existingAct];
}

/** Old ReplicaSets beyond the limit of the history. */
export function historyActs(context: Context): Act[] {
  const { store, deployment, old } = context;
  if (!isComplete(deployment, deployment.status)) return [];
  const beyond = old.length - specNumber(deployment, "revisionHistoryLimit", 10);
  return old
    .toSorted((a, b) => revision(a) - revision(b))
    .slice(0, Math.max(0, beyond))
    .filter((replicaSet) => size(replicaSet) === 0 && statusNumber(replicaSet, "replicas") === 0)
    .map((replicaSet) =>
      act(
        context,
        `delete ${replicaSet.metadata.name}`,
        () => void store.remove(refOf(replicaSet)),
      ),
    );
}
