import type { PatchOperation } from "@rollcast/kube/patch";
import { createDeletion } from "./deletion.ts";
import type { RemoveOptions } from "./deletion.ts";
import { applyJsonPatch, applyMergePatch } from "./json-patch.ts";
import { kindOf } from "./kinds.ts";
import { canonical, keyOf, refOf } from "./object.ts";
import type { Draft, Fields, KubeObject, Ref } from "./object.ts";
import { serverApply } from "./server-apply.ts";
import { alreadyExists, conflict, notFound } from "./status-error.ts";
import { createdObject, updatedObject } from "./stored-object.ts";
import type { StoreState } from "./store-state.ts";
import { branchState, createState, forkState, listOf, nextUid, record } from "./store-state.ts";

export { StatusError } from "./status-error.ts";
export type { KubeObject, Ref } from "./object.ts";

export type StoredEvent = {
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly object: KubeObject;
  readonly resourceVersion: number;
};

export type Subresource = "status" | "scale";

/** A write that admission sees; it may return another object, or throw a StatusError. */
export type AdmissionRequest = {
  readonly operation: "CREATE" | "UPDATE" | "DELETE";
  readonly manager: string;
  readonly subresource?: Subresource;
  readonly object: Draft;
  readonly before?: KubeObject;
};

export type Admission = (request: AdmissionRequest, store: ObjectStore) => Draft | undefined;

export type WriteOptions = { readonly manager: string; readonly subresource?: Subresource };

export type PatchOptions = WriteOptions & { readonly type: "json" | "merge" };

/** An in-memory API server: every answer is a frozen object, every error a StatusError. */
export type ObjectStore = {
  now(): number;
  get(ref: Ref): KubeObject | undefined;
  /** In the order of their names. */
  list(kind: string, namespace?: string): readonly KubeObject[];
  create(object: Draft, options: WriteOptions): KubeObject;
  /** Guarded by `metadata.resourceVersion` and `metadata.uid` where the object has them. */
  update(object: Draft, options: WriteOptions): KubeObject;
  patch(ref: Ref, patch: readonly PatchOperation[] | Fields, options: PatchOptions): KubeObject;
  /** Server-side apply; creates the object where there is none. */
  apply(object: Draft, options: { readonly manager: string; readonly force?: boolean }): KubeObject;
  /** The object where it is kept for its finalizers or its grace period. */
  remove(ref: Ref, options?: RemoveOptions): KubeObject | undefined;
  /** Append-only: a watch is a cursor into it. */
  events(): readonly StoredEvent[];
  readonly admission: Admission[];
  /** All objects as canonical text. */
  snapshot(): string;
  /** A store that goes its own way from here. */
  fork(options?: { now?: () => number; log?: boolean }): ObjectStore;
  /** A store in which this was done to this one, which stays as it was; neither has events. */
  branch(act: () => void): ObjectStore;
};

export type StoreOptions = {
  readonly now: () => number;
  /** Keep `metadata.managedFields`; true by default. */
  readonly managedFields?: boolean;
};

export function createObjectStore(options: StoreOptions): ObjectStore {
  return storeOf(createState(options));
}

type Write = WriteOptions & { readonly applied?: true };

function namedOf(ref: Ref) {
  return { ...kindOf(ref.kind), name: ref.name };
}

function storeOf(state: StoreState): ObjectStore {
  const existing = (ref: Ref): KubeObject => {
    const object = state.objects.get(keyOf(ref));
    if (object === undefined) throw notFound(namedOf(ref));
    return object;
  };
  const admit = (request: AdmissionRequest): Draft =>
    state.admission.reduce<Draft>(
      (object, hook) => hook({ ...request, object }, store) ?? object,
      request.object,
    );
  const create = (given: Draft, by: Write) => {
    const object = admit({ ...by, operation: "CREATE", object: given });
    const created = createdObject(object, { state, uid: nextUid(state), by });
    if (state.objects.has(keyOf(refOf(created)))) throw alreadyExists(namedOf(refOf(created)));
    return record(state, "ADDED", created);
  };
  const write = (before: KubeObject, given: Draft, by: Write) => {
    const object = admit({ ...by, operation: "UPDATE", object: given, before });
    const after = updatedObject(state, before, object, by);
    if (after === before) return before;
    const doomed = after.metadata.deletionTimestamp !== undefined;
    const { finalizers = [], deletionGracePeriodSeconds = 0 } = after.metadata;
    if (doomed && finalizers.length === 0 && deletionGracePeriodSeconds === 0) {
      record(state, "DELETED", after);
      return after;
    }
    return record(state, "MODIFIED", after);
  };
  const deletion = createDeletion(state, (request) => void admit(request));
  const store: ObjectStore = {
    admission: state.admission,
    now: () => state.now(),
    get: (ref) => state.objects.get(keyOf(ref)),
    list: (kind, namespace) => {
      const all = listOf(state, kind);
      return namespace === undefined
        ? all
        : all.filter(({ metadata }) => metadata.namespace === namespace);
    },
    create: (object, by) => create(object, by),
    update(object, by) {
      const before = existing(refOf(object as KubeObject));
      return write(before, object, by);
    },
    patch(ref, patch, { type, ...by }) {
      const before = existing(ref);
      const after =
        type === "json"
          ? applyJsonPatch(before, patch as readonly PatchOperation[])
          : applyMergePatch(before, patch);
      return write(before, after as Draft, by);
    },
    apply(config, { manager, force }) {
      const before = state.objects.get(keyOf(refOf(config as KubeObject)));
      const writer = { manager, operation: "Apply", time: state.time() } as const;
      if (before === undefined) return create(config, { manager, applied: true });
      const { object, conflicts } = serverApply(before, config, writer);
      if (conflicts.length > 0 && force !== true) {
        throw conflict(namedOf(refOf(before)), `Apply failed with ${conflicts.length} conflicts`);
      }
      return write(before, object, { manager, applied: true });
    },
    remove: (ref, options = {}) => deletion(existing(ref), options),
    events: () => state.events,
    snapshot: () =>
      [...state.objects.entries()]
        .toSorted(([a], [b]) => (a < b ? -1 : 1))
        .map(([key, object]) => `${key} ${canonical(object)}`)
        .join("\n"),
    fork: (options = {}) => storeOf(forkState(state, options)),
    branch: (act) => storeOf(branchState(state, act)),
  };
  return store;
}
