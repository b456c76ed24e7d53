import type { Backoff } from "@rollcast/async/backoff";
import type { Logger } from "@rollcast/runtime/logger";
import type { KubeClient } from "./client.ts";
import type { ReflectedResource } from "./resource.ts";
import type { KubeObject } from "./object.ts";

/**
 * What is done with the objects. Every call is awaited before the next object is read, so a slow
 * handler slows the reading. A throw counts as a failure: the reflector backs off and lists anew.
 */
export type ReflectorHandler<T> = {
  /** A full list begins; where it fails in the middle, another begins. */
  listStarted?(): void | Promise<void>;
  /** The first page is there: the list is as of `resourceVersion`. Called before its items. */
  listing?(list: { resourceVersion: string }): void | Promise<void>;
  upsert(item: T, origin: "list" | "watch"): void | Promise<void>;
  /** DELETED on the watch; the item carries the resourceVersion of the deletion. */
  removed(item: T): void | Promise<void>;
  /**
   * The list is complete: what was not upserted since `listStarted` is gone. `resourceVersion` is
   * that of the list.
   */
  listed(list: { resourceVersion: string }): void | Promise<void>;
};

export type ReflectorTimes = {
  /** Objects a page of the list. */
  pageLimit: number;
  /** Bytes that a page should have; the number of objects asked for follows their size. */
  pageBytes: number;
  listTimeoutMs: number;
  /** Bounds in seconds of the watch's server-side time-out, between which it is drawn. */
  watchSeconds: readonly [min: number, max: number];
  /**
   * Milliseconds without a byte after which a watch counts as dead; bookmarks come about once a
   * minute.
   */
  silenceMs: number;
  backoff: Backoff;
};

/**
 * What happens inside, for metrics: a list begins, a watch begins, a failure, versions that went
 * back.
 */
export type ReflectorEvent = "list" | "watch" | "failure" | "went-back";

export type ReflectorOptions<T> = {
  client: KubeClient;
  resource: ReflectedResource;
  /** Makes the little that is kept of an object. It must not keep a reference into the object. */
  transform: (object: KubeObject) => T;
  handler: ReflectorHandler<T>;
  logger: Logger;
  signal?: AbortSignal;
  times?: Partial<ReflectorTimes>;
  observe?: (event: ReflectorEvent) => void;
};

/** What a running reflector knows of itself. */
export type ReflectorState = {
  /** Everything up to here was handled; undefined: a list is due. */
  version: string | undefined;
  fault: string | undefined;
  /** In a row. */
  failures: number;
  /** `performance.now()` of the last proof that changes are consumed. */
  proof: number;
  /** Ends the watch under way. */
  session: AbortController | undefined;
  /** Why another list was asked for while one was running. */
  wanted: string | undefined;
  readonly stop: AbortController;
  readonly synced: PromiseWithResolvers<void>;
};

export const NOT_SYNCED = "not synced";
