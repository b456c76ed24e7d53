import { controllerActs, holdActs } from "../cluster/controllers.ts";
import { isActive } from "../cluster/controllers/parts.ts";
import { NO_FAULTS } from "../cluster/controllers/act.ts";
import type { Faults } from "../cluster/controllers/act.ts";
import { createObjectStore } from "../cluster/object-store.ts";
import type { ObjectStore } from "../cluster/object-store.ts";
import { refOf } from "../cluster/object.ts";
import type { Fields, KubeObject } from "../cluster/object.ts";
import { stateText, timeActs } from "./model-state.ts";
import { GONE, contentOf, finalText, observe } from "./observation.ts";
import type { Observation } from "./observation.ts";
import { manualJob } from "./schedule.ts";
import type { Effect, Trace } from "./trace.ts";

const NOW = Date.parse("2026-01-01T00:00:00Z");
const by = { manager: "owner" };

export type Verdict = {
  readonly result: "allowed" | "not allowed" | "too many states";
  readonly states: number;
  /** How many observations a path of the model has reproduced at most. */
  readonly matched: number;
  /** The ends that the model comes to after all observations, where none is the real one. */
  readonly finals: readonly string[];
};

export type AllowedOptions = { readonly faults?: Faults; readonly maxStates?: number };

/** A state of the model that has reproduced `seen` observations with `done` writes. */
type Node = {
  readonly store: ObjectStore;
  readonly seen: number;
  readonly done: number;
  readonly text: Observation;
};

function workloadIn(store: ObjectStore, { kind, workload }: Trace): KubeObject | undefined {
  const { namespace = "", name = "" } = workload.metadata;
  return store.get({ kind, namespace, name });
}

/** The stores that a write may lead to: which pod was deleted is known by its content alone. */
function effectsOf(store: ObjectStore, effect: Effect, trace: Trace): ObjectStore[] {
  const present = workloadIn(store, trace);
  if (effect.do === "create") {
    return present === undefined ? [store.branch(() => store.create(trace.workload, by))] : [];
  }
  if (effect.do === "delete pod") {
    return store
      .list("Pod")
      .filter(isActive)
      .filter(({ metadata }) => contentOf(metadata.annotations) === effect.content)
      .filter(({ metadata }) => effect.name === undefined || metadata.name === effect.name)
      .map((pod) => store.branch(() => store.remove(refOf(pod))));
  }
  if (present === undefined) return [];
  const ref = refOf(present);
  if (effect.do === "remove") {
    return [store.branch(() => store.remove(ref, { propagation: "Background" }))];
  }
  if (effect.do === "create job") {
    const { uid, namespace = "" } = present.metadata;
    const job = manualJob(uid, namespace, effect.count);
    return [store.branch(() => store.create(job, by))];
  }
  return [store.branch(() => store.patch(ref, effect.patch as Fields, { type: "merge", ...by }))];
}

function written(node: Node, trace: Trace): Node[] {
  const placed = trace.effects[node.done];
  if (placed === undefined) return [];
  const { at, effect } = placed;
  const isExact = "exactly" in at;
  const isNow = isExact ? at.exactly === node.seen : at.from <= node.seen && node.seen <= at.to;
  if (!isNow) return [];
  const held = isExact ? holdActs(node.store).map(({ run }) => node.store.branch(run)) : [];
  const before = [node.store, ...held];
  return before
    .flatMap((store) => effectsOf(store, effect, trace))
    .flatMap((store): Node[] => {
      const text = observe(trace.kind, workloadIn(store, trace));
      if (!isExact) return text === node.text ? [{ ...node, store, done: node.done + 1 }] : [];
      if (text !== trace.observations[node.seen]) return [];
      return [{ store, seen: node.seen + 1, done: node.done + 1, text }];
    });
}

/** Whether the next observation is one that a write has made, or must wait for a write. */
function isWriteNext({ seen, done }: Node, { effects }: Trace): boolean {
  const at = effects[done]?.at;
  if (at === undefined) return false;
  return "exactly" in at ? at.exactly === seen : at.to === seen;
}

function acted(node: Node, trace: Trace, faults: Faults): { next: Node[]; atRest: boolean } {
  const acts = [...controllerActs(node.store, faults), ...timeActs(node.store)];
  const next = acts.flatMap(({ run }): Node[] => {
    const store = node.store.branch(run);
    const text = observe(trace.kind, workloadIn(store, trace));
    if (text === node.text) return [{ ...node, store }];
    if (isWriteNext(node, trace) || text !== trace.observations[node.seen]) return [];
    return [{ ...node, store, seen: node.seen + 1, text }];
  });
  return { next, atRest: acts.length === 0 };
}

function finalOf({ store }: Node, trace: Trace): string {
  return finalText(trace.kind, {
    workload: workloadIn(store, trace),
    pods: store.list("Pod"),
    replicaSets: store.list("ReplicaSet"),
  });
}

/** Nodes to look at: those that have reproduced most first, and of these the ones found first. */
class Frontier {
  readonly #lists: { nodes: Node[]; at: number }[] = [];
  readonly #known = new Set<string>();

  push(node: Node): void {
    const key = `${node.seen} ${node.done}\n${stateText(node.store)}`;
    if (this.#known.has(key)) return;
    this.#known.add(key);
    (this.#lists[node.seen] ??= { nodes: [], at: 0 }).nodes.push(node);
  }

  get size(): number {
    return this.#known.size;
  }

  pop(): Node | undefined {
    const list = this.#lists.findLast((some) => some !== undefined && some.at < some.nodes.length);
    if (list === undefined) return undefined;
    const node = list.nodes[list.at];
    delete list.nodes[list.at];
    list.at += 1;
    return node;
  }
}

/** Whether the model has a path that shows these observations, with these writes, and ends so. */
export function isAllowed(trace: Trace, options: AllowedOptions = {}): Verdict {
  const { faults = NO_FAULTS, maxStates = 50_000 } = options;
  const store = createObjectStore({ now: () => NOW, managedFields: false });
  const frontier = new Frontier();
  const finals = new Set<string>();
  frontier.push({ store, seen: 0, done: 0, text: GONE });
  let matched = 0;
  for (let node = frontier.pop(); node !== undefined; node = frontier.pop()) {
    matched = Math.max(matched, node.seen);
    const verdict = { states: frontier.size, matched };
    if (frontier.size > maxStates)
      return { result: "too many states", ...verdict, finals: [...finals] };
    const { next, atRest } = acted(node, trace, faults);
    const isEnd = node.seen === trace.observations.length && node.done === trace.effects.length;
    if (isEnd && atRest) {
      const final = finalOf(node, trace);
      if (final === trace.final) return { result: "allowed", ...verdict, finals: [] };
      finals.add(final);
    }
    for (const found of [...written(node, trace), ...next]) frontier.push(found);
  }
  return { result: "not allowed", states: frontier.size, matched, finals: [...finals] };
}
