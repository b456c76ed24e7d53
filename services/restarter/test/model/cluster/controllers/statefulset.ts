import { dig, digNumber } from "@rollcast/kube/object";
import type { ObjectStore } from "../object-store.ts";
import { adoptActs } from "./adoption.ts";
import { heldActs } from "./held-status.ts";
import type { Sync } from "./held-status.ts";
import { isEqual } from "../object.ts";
import type { Draft, Fields, KubeObject } from "../object.ts";
import {
  REVISION_HASH,
  createPod,
  hashOf,
  isAvailable,
  isDeleting,
  isReady,
  omitEmpty,
  ownedBy,
  ownerReference,
  phaseOf,
  podOf,
  refusalOf,
  removePod,
  specNumber,
  statusActs,
} from "./parts.ts";
import { NO_FAULTS } from "./act.ts";
import type { Faults, Act } from "./act.ts";

const by = { manager: "kube-controller-manager" };

type Context = {
  readonly store: ObjectStore;
  readonly set: KubeObject;
  readonly revisions: readonly KubeObject[];
  readonly pods: readonly KubeObject[];
  readonly faults: Faults;
};

type Revisions = { readonly current: KubeObject; readonly update: KubeObject };

const number = (revision: KubeObject) => Number(revision.revision ?? 0);
const revisionOf = (pod: KubeObject) => pod.metadata.labels?.[REVISION_HASH];
const ordinalOf = ({ metadata }: KubeObject) => Number(metadata.name.split("-").at(-1));

function isMemberOf(set: KubeObject) {
  const prefix = `${set.metadata.name}-`;
  return ({ metadata: { name } }: KubeObject) =>
    name.startsWith(prefix) && /^\d+$/.test(name.slice(prefix.length));
}

function act({ set }: Context, name: string, run: () => void): Act {
  return { name: `StatefulSet ${set.metadata.name}: ${name}`, run };
}

function nameOf(set: KubeObject): string {
  return `${set.metadata.name}-${hashOf(set.spec?.template)}`;
}

/**
 * One of another set of this name, deleted before, counts: a new one could not be made beside it.
 */
function revisionsOf(store: ObjectStore, set: KubeObject): KubeObject[] {
  const own = ownedBy(store, "ControllerRevision", set);
  const { namespace } = set.metadata;
  const ref = {
    kind: "ControllerRevision",
    name: nameOf(set),
    ...(namespace === undefined ? {} : { namespace }),
  };
  const foreign = store.get(ref);
  const all = foreign === undefined || own.includes(foreign) ? own : [...own, foreign];
  return all.toSorted((a, b) => number(a) - number(b));
}

const isOf = (revision: KubeObject, set: KubeObject) => isEqual(revision.data, set.spec?.template);

/** The newest revision must be the template's, before anything else is done. */
function revisionAct(context: Context): Act[] {
  const { store, set, revisions } = context;
  const newest = revisions.at(-1);
  if (newest !== undefined && isOf(newest, set)) return [];
  const next = newest === undefined ? 1 : number(newest) + 1;
  const same = revisions.findLast((revision) => isOf(revision, set));
  if (same !== undefined) {
    return [
      act(context, "return to a revision", () => {
        store.update({ ...same, revision: next }, by);
      }),
    ];
  }
  const { namespace } = set.metadata;
  const draft: Draft = {
    apiVersion: "apps/v1",
    kind: "ControllerRevision",
    metadata: {
      name: nameOf(set),
      ...(namespace === undefined ? {} : { namespace }),
      ownerReferences: [ownerReference(set)],
    },
    data: set.spec?.template,
    revision: next,
  };
  return [act(context, "create a revision", () => void store.create(draft, by))];
}

function current({ set, revisions }: Context): Revisions | undefined {
  const update = revisions.at(-1);
  if (update === undefined) return undefined;
  const named = revisions.find(({ metadata }) => metadata.name === set.status?.currentRevision);
  return { current: named ?? update, update };
}

function partitionOf({ set, faults }: Context): number {
  if (faults.has("ignores-partition")) return 0;
  return digNumber(set.spec, 0, "updateStrategy", "rollingUpdate", "partition");
}

function isOnDelete(set: KubeObject): boolean {
  return dig(set.spec, "updateStrategy", "type") === "OnDelete";
}

function statusOf(
  { store, set, pods, faults }: Context,
  { current: from, update }: Revisions,
): Fields {
  const seconds = specNumber(set, "minReadySeconds", 0);
  const wanted = specNumber(set, "replicas", 1);
  const living = pods.filter((pod) => faults.has("counts-terminating") || !isDeleting(pod));
  const at = (revision: KubeObject) =>
    living.filter((pod) => revisionOf(pod) === revision.metadata.name).length;
  const ready = pods.filter(isReady).length;
  const updated = at(update);
  const arrived = !isOnDelete(set) && [updated, ready, pods.length].every((n) => n === wanted);
  return omitEmpty(
    {
      observedGeneration: set.metadata.generation,
      replicas: pods.length,
      readyReplicas: ready,
      availableReplicas: pods.filter((pod) => isAvailable(pod, seconds, store.now())).length,
      updatedReplicas: updated,
      currentReplicas: arrived ? updated : at(from),
      currentRevision: (arrived ? update : from).metadata.name,
      updateRevision: update.metadata.name,
      collisionCount: set.status?.collisionCount ?? 0,
    },
    ["replicas", "availableReplicas", "collisionCount"],
  );
}

function newPod(context: Context, ordinal: number, { current: from, update }: Revisions): Draft {
  const { set } = context;
  const start = digNumber(set.spec, 0, "ordinals", "start");
  const isOld = !isOnDelete(set) && ordinal < start + partitionOf(context);
  const revision = isOld ? from : update;
  const pod = podOf(set, revision.data as Fields, { name: `${set.metadata.name}-${ordinal}` });
  const labels = { ...pod.metadata.labels, [REVISION_HASH]: revision.metadata.name };
  return { ...pod, metadata: { ...pod.metadata, labels } };
}

type Places = { readonly ordinal: number; readonly pod: KubeObject | undefined }[];

function create(context: Context, ordinal: number, revisions: Revisions): Act[] {
  const { store, set } = context;
  const draft = newPod(context, ordinal, revisions);
  const { namespace } = set.metadata;
  const name = draft.metadata.name ?? "";
  const taken = store.get({ kind: "Pod", name, ...(namespace === undefined ? {} : { namespace }) });
  if (taken !== undefined || refusalOf(store, draft) !== undefined) return [];
  return [act(context, `create pod ${name}`, () => createPod(store, draft))];
}

function remove(context: Context, pod: KubeObject): Act {
  return act(context, `delete pod ${pod.metadata.name}`, () => removePod(context.store, pod));
}

/** The replica of the largest ordinal that is old goes, unless one above it is not available. */
function updateAct(context: Context, places: Places, { update }: Revisions): Act[] {
  const { store, set } = context;
  if (isOnDelete(set)) return [];
  const seconds = specNumber(set, "minReadySeconds", 0);
  const start = digNumber(set.spec, 0, "ordinals", "start");
  for (const { ordinal, pod } of places.toReversed()) {
    if (ordinal - start < partitionOf(context) || pod === undefined) return [];
    if (revisionOf(pod) !== update.metadata.name && !isDeleting(pod)) return [remove(context, pod)];
    if (isDeleting(pod) || !isAvailable(pod, seconds, store.now())) return [];
  }
  return [];
}

/** Replica after replica: the next step waits until the one before is available. */
function ordered(context: Context, places: Places, revisions: Revisions): Act[] {
  const { store, set, pods } = context;
  const seconds = specNumber(set, "minReadySeconds", 0);
  const isGood = (pod: KubeObject) =>
    !isDeleting(pod) && isReady(pod) && isAvailable(pod, seconds, store.now());
  for (const { ordinal, pod } of places) {
    if (pod === undefined) return create(context, ordinal, revisions);
    if (phaseOf(pod) === "Failed" || phaseOf(pod) === "Succeeded") {
      return isDeleting(pod) ? [] : [remove(context, pod)];
    }
    if (!isGood(pod)) return [];
  }
  const kept = new Set(places.map((place) => place.pod));
  const condemned = pods
    .filter((pod) => !kept.has(pod))
    .toSorted((a, b) => ordinalOf(b) - ordinalOf(a));
  const [last] = condemned;
  if (last !== undefined) {
    const unhealthy = condemned.findLast((pod) => !isGood(pod));
    return isDeleting(last) || (!isGood(last) && last !== unhealthy) ? [] : [remove(context, last)];
  }
  return updateAct(context, places, revisions);
}

function parallel(context: Context, places: Places, revisions: Revisions): Act[] {
  const kept = new Set(places.map((place) => place.pod));
  const missing = places.filter(({ pod }) => pod === undefined);
  return [
    ...missing.flatMap(({ ordinal }) => create(context, ordinal, revisions)),
    ...context.pods
      .filter((pod) => !kept.has(pod) && !isDeleting(pod))
      .map((pod) => remove(context, pod)),
    ...updateAct(context, places, revisions),
  ];
}

function contextOf(store: ObjectStore, set: KubeObject, faults: Faults): Context {
  const pods = ownedBy(store, "Pod", set);
  return { store, set, revisions: revisionsOf(store, set), pods, faults };
}

function podActs(context: Context, revisions: Revisions): Act[] {
  const { set, pods } = context;
  if (isDeleting(set)) return [];
  const start = digNumber(set.spec, 0, "ordinals", "start");
  const places = Array.from({ length: specNumber(set, "replicas", 1) }, (_, i) => ({
    ordinal: start + i,
    pod: pods.find((pod) => ordinalOf(pod) === start + i),
  }));
  const parts = set.spec?.podManagementPolicy === "Parallel" ? parallel : ordered;
  return parts(context, places, revisions);
}

function ofSet(context: Context): Act[] {
  const { store, set } = context;
  const held = heldActs(store, set);
  if (held.length > 0) return held;
  const adoption = adoptActs(store, "Pod", set, isMemberOf(set));
  if (adoption.length > 0) return adoption;
  const first = revisionAct(context);
  const revisions = current(context);
  if (first.length > 0 || revisions === undefined) return first;
  const status = statusActs(store, set, statusOf(context, revisions));
  return [...podActs(context, revisions), ...status];
}

/** A sync whose status comes late; see `holdActs`. */
export function syncOf(store: ObjectStore, set: KubeObject): Sync {
  const context = contextOf(store, set, NO_FAULTS);
  const revisions = current(context);
  if (revisionAct(context).length > 0 || revisions === undefined) {
    return { set, status: undefined, acts: [] };
  }
  return { set, status: statusOf(context, revisions), acts: podActs(context, revisions) };
}

/** What the StatefulSet controller may do next; the limit of its history is not modelled. */
export function acts(store: ObjectStore, faults: Faults = NO_FAULTS): Act[] {
  return store.list("StatefulSet").flatMap((set) => ofSet(contextOf(store, set, faults)));
}
