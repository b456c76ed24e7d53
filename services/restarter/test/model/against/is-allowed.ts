import { controllerActs, holdActs } from "../cluster/controllers/controllers.ts";
import { dig } from "@rollcast/kube/object";
import { enoughOf, isNeedlessPlacement } from "./enough-of.ts";
import { isTaintUnseen } from "./unseen-taint.ts";
import { isPutOff } from "../cluster/controllers/job.ts";
import { isEviction } from "../cluster/controllers/node.ts";
import { isActive } from "../cluster/controllers/parts.ts";
import { DEAD } from "@rollcast/testkit/kwok";
import { expectActs } from "../cluster/controllers/lost-expectation.ts";
import { NO_FAULTS } from "../cluster/controllers/act.ts";
import type { Act, Faults } from "../cluster/controllers/act.ts";
import { createObjectStore } from "../cluster/object-store.ts";
import type { ObjectStore } from "../cluster/object-store.ts";
import { podQuota } from "../cluster/quota.ts";
import { refOf } from "../cluster/object.ts";
import type { Fields, KubeObject } from "../cluster/object.ts";
import { distance } from "./distance.ts";
import { Frontier } from "./frontier.ts";
import { kwokActs } from "./kwok-acts.ts";
import { stateText, timeActs } from "./model-state.ts";
import { GONE, contentOf, finalText, observe } from "./observation.ts";
import type { Observation } from "./observation.ts";
import { isEvictedSoon, manualJob, quotaOf } from "./schedule.ts";
import type { Effect, Placed, Trace } from "./trace.ts";

const NOW = Date.parse("2026-01-01T00:00:00Z");
const by = { manager: "owner" };

/** The DaemonSet controller may still see the taint that admission gives a new node. */
const NEW_NODE = { taints: [{ key: "node.kubernetes.io/not-ready", effect: "NoSchedule" }] };

export type Verdict = {
  readonly result: "allowed" | "not allowed" | "too many states";
  readonly states: number;
  /** How many observations a path of the model has reproduced at most. */
  readonly matched: number;
  /** The ends that the model comes to after all observations, where none is the real one. */
  readonly finals: readonly string[];
};

export type AllowedOptions = {
  readonly faults?: Faults;
  readonly maxStates?: number;
  /** With kwok's second deletions. */
  readonly kwok?: boolean;
};

const MAX_STATES = 40_000;

/**
 * A state of the model that has reproduced `seen` observations; `done` has a bit for each write.
 */
type Node = {
  readonly store: ObjectStore;
  readonly observed: number;
  readonly done: number;
  readonly text: Observation;
};

function workloadIn(store: ObjectStore, { kind, workload }: Trace): KubeObject | undefined {
  const { namespace = "", name = "" } = workload.metadata;
  return store.get({ kind, namespace, name });
}

function writeQuota(store: ObjectStore, pods: number | null, { workload }: Trace): void {
  const draft = quotaOf(workload.metadata.namespace ?? "", pods ?? 0);
  const ref = refOf(draft as KubeObject);
  if (pods === null) store.remove(ref);
  else if (store.get(ref) === undefined) store.create(draft, by);
  else store.patch(ref, { spec: draft.spec }, { type: "merge", ...by });
}

function writeNode(store: ObjectStore, { node, state }: Effect & { do: "node" }): void {
  const labels = { [DEAD]: state === "dead" ? "true" : null };
  store.patch({ kind: "Node", name: node }, { metadata: { labels } }, { type: "merge", ...by });
}

/** The stores that a write may lead to: which pod was deleted is known by its content alone. */
function effectsOf(store: ObjectStore, effect: Effect, trace: Trace): ObjectStore[] {
  const present = workloadIn(store, trace);
  if (effect.do === "create") {
    if (present !== undefined) return [];
    const made = store.branch(() => store.create(trace.workload, by));
    const object = workloadIn(made, trace);
    const isFirst = store.list("HeldStatus").length + store.list("Pod").length === 0;
    const waiting = isFirst || object === undefined ? [] : expectActs(made, object);
    return [made, ...waiting.map(({ run }) => made.branch(run))];
  }
  if (effect.do === "delete pod") {
    return store
      .list("Pod")
      .filter(isActive)
      .filter(({ metadata }) => contentOf(metadata.annotations) === effect.content)
      .filter(({ metadata }) => effect.name === undefined || metadata.name === effect.name)
      .map((pod) => store.branch(() => store.remove(refOf(pod))));
  }
  if (effect.do === "quota") return [store.branch(() => writeQuota(store, effect.pods, trace))];
  if (effect.do === "node") return [store.branch(() => writeNode(store, effect))];
  if (present === undefined) return [];
  const ref = refOf(present);
  if (effect.do === "remove") {
    return [store.branch(() => store.remove(ref, { propagation: "Background" }))];
  }
  if (effect.do === "create job") {
    const { uid, namespace = "" } = present.metadata;
    const job = manualJob({ uid, namespace }, effect);
    return [store.branch(() => store.create(job, by))];
  }
  if (effect.do === "promote") {
    const { pauseConditions: _, ...status } = present.status ?? {};
    const manager = "kubectl-argo-rollouts";
    return [
      store.branch(() => store.update({ ...present, status }, { manager, subresource: "status" })),
    ];
  }
  return [store.branch(() => store.patch(ref, effect.patch as Fields, { type: "merge", ...by }))];
}

const isDone = (node: Node, i: number) => (node.done & (1 << i)) !== 0;

/** Writes of the quota, and of nodes, take effect in their order, however late they are seen. */
function mustWait(node: Node, { effects }: Trace, i: number): boolean {
  const name = effects[i]?.effect.do;
  if (name !== "quota" && name !== "node") return false;
  return effects.some(({ effect }, j) => j < i && effect.do === name && !isDone(node, j));
}

function writtenAt(node: Node, trace: Trace, i: number): Node[] {
  const { at, effect } = trace.effects[i] as Placed;
  const isExact = "exactly" in at;
  const isNow = isExact
    ? at.exactly === node.observed
    : at.from <= node.observed && node.observed <= at.late;
  if (!isNow || isDone(node, i) || mustWait(node, trace, i)) return [];
  const done = node.done | (1 << i);
  const held = isExact ? holdActs(node.store).map(({ run }) => node.store.branch(run)) : [];
  const before = [node.store, ...held];
  return before
    .flatMap((store) => effectsOf(store, effect, trace))
    .flatMap((store): Node[] => {
      const text = observe(trace.kind, workloadIn(store, trace));
      if (!isExact) return text === node.text ? [{ ...node, store, done }] : [];
      return text === trace.observations[node.observed]
        ? [{ store, observed: node.observed + 1, done, text }]
        : [];
    });
}

function written(node: Node, trace: Trace): Node[] {
  return trace.effects.flatMap((_, i) => writtenAt(node, trace, i));
}

/** Whether the next observation is one that a write has made, or must wait for a write. */
function isWriteNext(node: Node, { effects }: Trace): boolean {
  return effects.some(({ at }, i) => {
    if (isDone(node, i)) return false;
    return "exactly" in at ? at.exactly === node.observed : at.late === node.observed;
  });
}

/**
 * With a surge, a DaemonSet's controller looks again after `minReadySeconds` only where it has seen
 * the new pod get ready: else both pods stay until something else happens.
 */
function mayMissTime({ kind, workload }: Trace): boolean {
  const surge = dig(workload.spec, "updateStrategy", "rollingUpdate", "maxSurge");
  return kind === "DaemonSet" && typeof surge === "number" && surge > 0;
}

/** The nodes that are still to die or to come back. */
function changingNodes(node: Node, { effects }: Trace): Set<string> {
  const undone = effects.flatMap(({ effect }, i) =>
    effect.do === "node" && !isDone(node, i) ? [effect.node] : [],
  );
  return new Set(undone);
}

type Expanded = { readonly next: readonly Node[]; readonly atRest: boolean };

function acted(node: Node, trace: Trace, { faults = NO_FAULTS, kwok }: AllowedOptions): Expanded {
  const waiting = timeActs(node.store);
  const evicts = isEvictedSoon(trace.workload);
  const changing = changingNodes(node, trace);
  const isNeedless = isNeedlessPlacement(node.store, changing);
  const all = [...controllerActs(node.store, faults), ...waiting].filter(
    (act) => !isNeedless(act) && (evicts || !isEviction(act)),
  );
  const acts = [
    ...enoughOf(node.store, all, { trace, changing }),
    ...(kwok === true ? kwokActs(node.store) : []),
  ];
  const next = acts.flatMap(({ run }): Node[] => {
    const store = node.store.branch(run);
    const text = observe(trace.kind, workloadIn(store, trace));
    if (text === node.text) return [{ ...node, store }];
    if (isWriteNext(node, trace) || text !== trace.observations[node.observed]) return [];
    return [{ ...node, store, observed: node.observed + 1, text }];
  });
  const isWaiting = (act: Act) => isPutOff(act) || (mayMissTime(trace) && waiting.includes(act));
  const left = all.filter((act) => !isWaiting(act));
  const isDaemonSets = left.every(({ name }) => name.startsWith("DaemonSet "));
  return { next, atRest: left.length === 0 || (isDaemonSets && isTaintUnseen(node.store)) };
}

function finalOf({ store }: Node, trace: Trace): string {
  return finalText(trace.kind, {
    workload: workloadIn(store, trace),
    pods: store.list("Pod"),
    replicaSets: store.list("ReplicaSet"),
    nodes: store.list("Node"),
  });
}

/** Whether the model has a path that shows these observations, with these writes, and ends so. */
export function isAllowed(trace: Trace, options: AllowedOptions = {}): Verdict {
  const { maxStates = MAX_STATES } = options;
  const store = createObjectStore({ now: () => NOW, managedFields: false });
  const hasQuota = trace.effects.some(({ effect }) => effect.do === "quota");
  const ignoresQuota = options.faults?.has("ignores-quota") === true;
  if (hasQuota && !ignoresQuota) store.admission.push(podQuota);
  for (const name of trace.nodes ?? []) {
    const spec = trace.kind === "DaemonSet" ? NEW_NODE : {};
    store.create({ apiVersion: "v1", kind: "Node", metadata: { name }, spec }, by);
  }
  const frontier = new Frontier<Node>();
  const push = (node: Node) =>
    frontier.push(node, {
      key: `${node.observed} ${node.done}\n${stateText(node.store)}`,
      observed: node.observed,
      away: distance(node.store, trace.observations[node.observed]),
    });
  const finals = new Set<string>();
  push({ store, observed: 0, done: 0, text: GONE });
  let matched = 0;
  for (let node = frontier.pop(); node !== undefined; node = frontier.pop()) {
    matched = Math.max(matched, node.observed);
    const verdict = { states: frontier.size, matched };
    if (frontier.size > maxStates)
      return { result: "too many states", ...verdict, finals: [...finals] };
    const { next, atRest } = acted(node, trace, options);
    const isEnd =
      node.observed === trace.observations.length &&
      trace.effects.every((_, i) => isDone(node as Node, i));
    if (isEnd && atRest) {
      const final = finalOf(node, trace);
      if (final === trace.final) return { result: "allowed", ...verdict, finals: [] };
      finals.add(final);
    }
    for (const successor of [...written(node, trace), ...next]) push(successor);
  }
  return { result: "not allowed", states: frontier.size, matched, finals: [...finals] };
}
