import { dig } from "@rollcast/kube/object";
import type { ObjectStore } from "../object-store.ts";
import { timeText } from "../store-state.ts";
import { adoptActs } from "./adoption.ts";
import { heldActs } from "./held-status.ts";
import type { Sync } from "./held-status.ts";
import { isWaiting } from "./lost-expectation.ts";
import { isTainted } from "./node.ts";
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
  phaseOf,
  podOf,
  refusalOf,
  removePod,
  scaled,
  specNumber,
  statusActs,
} from "./parts.ts";
import { NO_FAULTS } from "./act.ts";
import type { Act, Faults } from "./act.ts";

const REQUIRED = [
  "desiredNumberScheduled",
  "currentNumberScheduled",
  "numberMisscheduled",
  "numberReady",
];

type Context = {
  readonly store: ObjectStore;
  readonly set: KubeObject;
  readonly hash: string;
  /** The pods of each node, the oldest first; terminating ones too. */
  readonly nodes: ReadonlyMap<string, readonly KubeObject[]>;
  /** Nodes that it does without, for they are tainted: no pod is made there, and none counts. */
  readonly shunned: ReadonlySet<string>;
};

function act({ set }: Context, name: string, run: () => void): Act {
  return { name: `DaemonSet ${set.metadata.name}: ${name}`, run };
}

/** Pods of one second are told apart by their names. */
function age({ metadata }: KubeObject): string {
  return `${metadata.creationTimestamp} ${metadata.name}`;
}

function contextOf(store: ObjectStore, set: KubeObject, faults = NO_FAULTS): Context {
  const all = store.list("Node");
  const named = all.map(({ metadata }) => metadata.name);
  const tainted = faults.has("counts-dead-nodes") ? [] : all.filter(isTainted);
  const shunned = new Set(tainted.map(({ metadata }) => metadata.name));
  const pods = ownedBy(store, "Pod", set);
  const nodes = named.length === 0 ? ["node-1"] : named;
  const hash = hashOf(set.spec?.template);
  const on = (node: string) =>
    pods
      .filter(({ spec }) => spec?.nodeName === node)
      .toSorted((a, b) => (age(a) < age(b) ? -1 : 1));
  return { store, set, hash, nodes: new Map(nodes.map((node) => [node, on(node)])), shunned };
}

const isNew = (pod: KubeObject, { hash }: Context) => pod.metadata.labels?.[REVISION_HASH] === hash;

function isGood(pod: KubeObject, { store, set }: Context): boolean {
  return isAvailable(pod, specNumber(set, "minReadySeconds", 0), store.now());
}

/** The pods of the nodes that are to have one. */
function wantedOf({ nodes, shunned }: Context): (readonly KubeObject[])[] {
  return [...nodes].filter(([node]) => !shunned.has(node)).map(([, pods]) => pods);
}

function rolling(context: Context, name: "maxSurge" | "maxUnavailable"): number {
  const fallback = name === "maxUnavailable" ? 1 : 0;
  const value = dig(context.set.spec, "updateStrategy", "rollingUpdate", name) ?? fallback;
  return scaled(value, wantedOf(context).length, "up");
}

function newPod({ set, hash }: Context, node: string, first: string): Draft {
  const template = set.spec?.template as Fields;
  const pod = podOf(set, template, { generateName: `${set.metadata.name}-${first}` });
  const labels = { ...pod.metadata.labels, [REVISION_HASH]: hash };
  const spec = { ...(pod.spec as Fields), nodeName: node };
  return { ...pod, metadata: { ...pod.metadata, labels }, spec };
}

/** The name is random: beside a pod of the same second it may come before or after it. */
function create(context: Context, node: string): Act[] {
  const { store, nodes } = context;
  const time = timeText(store.now());
  const isTie = nodes.get(node)?.some(({ metadata }) => metadata.creationTimestamp === time);
  const drafts = (isTie === true ? ["b", "x"] : ["m"]).map((first) => newPod(context, node, first));
  return drafts
    .filter((draft) => refusalOf(store, draft) === undefined)
    .map((draft) => act(context, `create a pod on ${node}`, () => createPod(store, draft)));
}

function remove(context: Context, pod: KubeObject): Act {
  return act(context, `delete pod ${pod.metadata.name}`, () => removePod(context.store, pod));
}

/**
 * With surge two pods may be on a node: an old one that is ready, and a new one that is not yet
 * available.
 */
function surplus(context: Context, running: readonly KubeObject[]): readonly KubeObject[] {
  const fresh = running.filter((pod) => isNew(pod, context));
  const stale = running.filter((pod) => !isNew(pod, context));
  const [newest] = fresh;
  const [oldest] = stale;
  const extra = [...fresh.slice(1), ...stale.slice(1)];
  if (newest === undefined || oldest === undefined) return extra;
  return !isReady(oldest) || isGood(newest, context) ? [...extra, oldest] : extra;
}

/** One pod on each node, before anything is updated. */
function manage(context: Context): Act[] {
  const surges = rolling(context, "maxSurge") > 0;
  return [...context.nodes].flatMap(([node, pods]) => {
    const mayCreate = !context.shunned.has(node);
    if (pods.length === 0) return mayCreate ? create(context, node) : [];
    const living = pods.filter((pod) => !isDeleting(pod));
    const ended = living.filter((pod) => ["Failed", "Succeeded"].includes(phaseOf(pod)));
    const running = living.filter((pod) => !ended.includes(pod));
    const removed = ended.map((pod) => remove(context, pod));
    if (!surges) return [...removed, ...running.slice(1).map((pod) => remove(context, pod))];
    if (running.length === 0) return mayCreate ? [...removed, ...create(context, node)] : removed;
    return [...removed, ...surplus(context, running).map((pod) => remove(context, pod))];
  });
}

/**
 * The pod of the present template and an older one on a node, as far as they are not on the way
 * out.
 */
function pair(context: Context, pods: readonly KubeObject[]) {
  const living = pods.filter((pod) => !isDeleting(pod));
  return {
    fresh: living.find((pod) => isNew(pod, context)),
    stale: living.find((pod) => !isNew(pod, context)),
  };
}

function replace(context: Context): Act[] {
  const pairs = [...context.nodes.values()]
    .filter((pods) => pods.length > 0)
    .map((pods) => pair(context, pods));
  const bad = pairs.filter(({ fresh, stale }) => {
    if (stale === undefined) return fresh === undefined || !isGood(fresh, context);
    return fresh !== undefined || !isGood(stale, context);
  });
  const candidates = pairs.filter(({ fresh }) => fresh === undefined).map(({ stale }) => stale);
  const stale = candidates.filter((pod) => pod !== undefined);
  const room = rolling(context, "maxUnavailable") - bad.length;
  return stale
    .filter((pod) => !isGood(pod, context) || room > 0)
    .map((pod) => remove(context, pod));
}

function surge(context: Context): Act[] {
  const { nodes, shunned } = context;
  const pairs = [...nodes].map(([node, pods]) => ({ node, ...pair(context, pods) }));
  const surging = pairs.filter(
    ({ fresh, stale }) => fresh !== undefined && stale !== undefined && !isGood(fresh, context),
  );
  const room = rolling(context, "maxSurge") - surging.length;
  const first = pairs.map(({ fresh, stale }) => stale ?? fresh);
  const good = first.filter((pod) => pod !== undefined && isGood(pod, context)).length;
  const spare = good - wantedOf(context).length;
  return pairs.flatMap(({ node, fresh, stale }) => {
    if (stale === undefined) return [];
    if (fresh !== undefined) return isGood(fresh, context) ? [remove(context, stale)] : [];
    const isOut = !isGood(stale, context);
    if (shunned.has(node)) return isOut || spare > 0 ? [remove(context, stale)] : [];
    return isOut || room > 0 ? create(context, node) : [];
  });
}

function statusOf(context: Context): Fields {
  const { set, nodes, shunned } = context;
  const wanted = wantedOf(context);
  const firsts = wanted.map(([pod]) => pod).filter((pod) => pod !== undefined);
  const others = [...nodes].filter(([node, pods]) => shunned.has(node) && pods.length > 0);
  const available = firsts.filter((pod) => isGood(pod, context)).length;
  return omitEmpty(
    {
      observedGeneration: set.metadata.generation,
      desiredNumberScheduled: wanted.length,
      currentNumberScheduled: firsts.length,
      numberMisscheduled: others.length,
      numberReady: firsts.filter(isReady).length,
      updatedNumberScheduled: firsts.filter((pod) => isNew(pod, context)).length,
      numberAvailable: available,
      numberUnavailable: wanted.length - available,
    },
    REQUIRED,
  );
}

function podActs(context: Context): Act[] {
  const managed = manage(context);
  const { set } = context;
  const isOnDelete = dig(set.spec, "updateStrategy", "type") === "OnDelete";
  if (managed.length > 0 || isOnDelete) return managed;
  return rolling(context, "maxSurge") > 0 ? surge(context) : replace(context);
}

function ofSet(context: Context): Act[] {
  const { store, set } = context;
  if (isDeleting(set)) return [];
  const held = heldActs(store, set);
  if (held.length > 0) return held;
  const adoption = adoptActs(store, "Pod", set);
  if (adoption.length > 0) return adoption;
  const status = statusOf(context);
  if (isWaiting(store, set)) {
    const { observedGeneration = 0 } = set.status ?? {};
    return statusActs(store, set, omitEmpty({ ...status, observedGeneration }, REQUIRED));
  }
  return [...podActs(context), ...statusActs(store, set, status)];
}

/** A sync whose status comes late; see `holdActs`. */
export function syncOf(store: ObjectStore, set: KubeObject): Sync {
  const context = contextOf(store, set);
  return { set, status: statusOf(context), acts: podActs(context) };
}

/** What the DaemonSet controller may do next; it wants a pod on every node that takes pods. */
export function acts(store: ObjectStore, faults: Faults = NO_FAULTS): Act[] {
  return store.list("DaemonSet").flatMap((set) => ofSet(contextOf(store, set, faults)));
}
