import type { Admission, StoredEvent, StoreOptions } from "./object-store.ts";
import { deepFreeze, keyOf, refOf } from "./object.ts";
import type { KubeObject } from "./object.ts";

/** What an object store holds. */
export type StoreState = {
  now: () => number;
  /** The present time as objects have it, by the second. */
  time(): string;
  readonly objects: Map<string, KubeObject>;
  /** Objects by kind in the order of their names, until the next write. */
  readonly lists: Map<string, readonly KubeObject[]>;
  readonly events: StoredEvent[];
  log: boolean;
  readonly managedFields: boolean;
  readonly admission: Admission[];
  resourceVersion: number;
  uids: number;
};

export function timeText(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

export function createState({ now, managedFields = true }: StoreOptions): StoreState {
  return {
    now,
    time: () => timeText(now()),
    objects: new Map(),
    lists: new Map(),
    events: [],
    log: true,
    managedFields,
    admission: [],
    resourceVersion: 0,
    uids: 0,
  };
}

export function forkState(
  state: StoreState,
  { now = state.now, log = true }: { now?: () => number; log?: boolean },
): StoreState {
  return {
    ...state,
    now,
    time: () => timeText(now()),
    objects: new Map(state.objects),
    lists: new Map(),
    events: log ? [...state.events] : [],
    log,
    admission: [...state.admission],
  };
}

/** The state after an act, which is undone here. */
export function branchState(state: StoreState, act: () => void): StoreState {
  const { objects, resourceVersion, uids, log } = state;
  const before = new Map(objects);
  const lists = [...state.lists];
  state.log = false;
  try {
    act();
    return forkState(state, { log: false });
  } finally {
    objects.clear();
    for (const [key, object] of before) objects.set(key, object);
    state.lists.clear();
    for (const [kind, listed] of lists) state.lists.set(kind, listed);
    Object.assign(state, { resourceVersion, uids, log });
  }
}

/** The objects of a kind in the order of their names. */
export function listOf(state: StoreState, kind: string): readonly KubeObject[] {
  const cached = state.lists.get(kind);
  if (cached !== undefined) return cached;
  const listed = [...state.objects]
    .filter(([, object]) => object.kind === kind)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([, object]) => object);
  state.lists.set(kind, listed);
  return listed;
}

export function nextUid(state: StoreState): string {
  state.uids += 1;
  return `00000000-0000-4000-8000-${state.uids.toString(16).padStart(12, "0")}`;
}

/** Stores the object at the next version, or takes it away, and appends the event. */
export function record(
  state: StoreState,
  type: StoredEvent["type"],
  given: KubeObject,
): KubeObject {
  state.resourceVersion += 1;
  const resourceVersion = state.resourceVersion;
  const metadata = { ...given.metadata, resourceVersion: String(resourceVersion) };
  const object = deepFreeze({ ...given, metadata });
  const key = keyOf(refOf(object));
  state.lists.clear();
  if (type === "DELETED") state.objects.delete(key);
  else state.objects.set(key, object);
  if (state.log) state.events.push({ type, object, resourceVersion });
  return object;
}
