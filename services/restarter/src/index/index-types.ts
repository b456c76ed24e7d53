import type { ReflectorHandler } from "@rollcast/kube/reflector-options";
import type { ObjectRef } from "@rollcast/shared/subjects";
import type { SourceKey } from "../model/content.ts";
import type { SourcePattern, Workload, WorkloadKey } from "../model/workload.ts";

export type IndexListener = {
  /** A workload appeared or changed; `before` is the previous state. */
  changed(workload: Workload, before: Workload | undefined): void;
  removed(workload: Workload): void;
};

/**
 * Every workload in scope, in compact form, and which of them use a source. Fed by one reflector
 * per kind and namespace.
 */
export type WorkloadIndex = {
  get(key: WorkloadKey): Workload | undefined;
  /** Like `get`, but for a while also returns an ended workload that is gone. */
  last(key: WorkloadKey): Workload | undefined;
  all(): Iterable<Workload>;
  size(): number;
  usersOf(source: SourceKey): Workload[];
  /**
   * Sets a workload from an API response, unless that version of its name or a newer one is
   * indexed, or the watch has shown that it is gone: listeners are called for what is new only.
   * An answer that is older than what was `indexed` when it was asked for is of a cluster that was
   * restored from a backup, and counts.
   */
  apply(workload: Workload, indexed?: Workload): void;
  /** A workload of an API response with what its referrer determines, as the index has it. */
  referred(workload: Workload): Workload;
  /** Removes a workload that the API server reports gone. */
  forget(key: WorkloadKey): void;
  /** Resolves with true when the workload changes, false after `timeoutMs`. */
  nextChange(key: WorkloadKey, timeoutMs: number): Promise<boolean>;
  listen(listener: IndexListener): void;
  /** A handler for one more reflector; its full list removes what it no longer has. */
  handler(kind: string): ReflectorHandler<Workload>;
};

/** The names of all sources, for annotations with name patterns. */
export type SourceNames = {
  /** Sorted by name. */
  matching(pattern: SourcePattern): SourceKey[];
  add(source: ObjectRef): void;
  /** Forgets a source of which there is no record any more, not even of its deletion. */
  remove(source: ObjectRef): void;
  /** Forgets all others. */
  retain(kept: ReadonlySet<SourceKey>): void;
};
