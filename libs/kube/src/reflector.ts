import { setTimeout as sleep } from "node:timers/promises";
import type { Backoff } from "@rollcast/shared/backoff";
import type { Logger } from "@rollcast/shared/logger";
import type { KubeClient } from "./client.ts";
import { KubeError } from "./kube-error.ts";
import { LIST_LIMITS, listInto } from "./list.ts";
import type { ReflectedResource } from "./list.ts";
import type { KubeObject } from "./object.ts";
import { faultOf, recover } from "./recovery.ts";
import { runWatch, wentBack } from "./watch-session.ts";
import type { WatchEvent } from "./watch-stream.ts";

export type { KubeObject } from "./object.ts";
export type { ReflectedResource } from "./list.ts";

/**
 * What is done with the objects. Every call is awaited before the next object is read, so a slow handler slows the reading.
 * A throw counts as a failure: the reflector backs off and lists anew.
 */
export type ReflectorHandler<T> = {
  /** A full list begins; where it fails in the middle, another begins. */
  listStarted?(): void | Promise<void>;
  /** The first page is there: the list is as of `resourceVersion`. Called before its items. */
  listing?(list: { resourceVersion: string }): void | Promise<void>;
  upsert(item: T, origin: "list" | "watch"): void | Promise<void>;
  /** DELETED on the watch; the item carries the resourceVersion of the deletion. */
  removed(item: T): void | Promise<void>;
  /** The list is complete: what was not upserted since `listStarted` is gone. `resourceVersion` is that of the list. */
  listed(list: { resourceVersion: string }): void | Promise<void>;
};

export type Reflector = AsyncDisposable & {
  /** Settles when the first list was handled completely; rejects when disposed before. */
  readonly synced: Promise<void>;
  /** Milliseconds since the last proof that changes are consumed: a list, an event or a bookmark that was handled. */
  staleness(): number;
  /** Why changes are not consumed now (`not synced`, `429 TooManyRequests`, ...), or undefined. */
  fault(): string | undefined;
  /** Lists anew, e.g. because the handler found that something was missed. */
  relist(reason: string): void;
};

export type ReflectorTimes = {
  /** Objects a page of the list. */
  pageLimit: number;
  /** Bytes that a page should have; the number of objects asked for follows their size. */
  pageBytes: number;
  listTimeoutMs: number;
  /** Bounds in seconds of the watch's server-side time-out, between which it is drawn. */
  watchSeconds: readonly [min: number, max: number];
  /** Milliseconds without a byte after which a watch counts as dead; bookmarks come about once a minute. */
  silenceMs: number;
  backoff: Backoff;
};

/** What happens inside, for metrics: a list begins, a watch begins, a failure, versions that went back. */
export type ReflectorEvent = "list" | "watch" | "failure" | "went-back";

export type ReflectorOptions<T> = {
  client: KubeClient;
  resource: ReflectedResource;
  /** Makes the little that is kept of an object. It must not keep a reference into the object. */
  reduce: (object: KubeObject) => T;
  handler: ReflectorHandler<T>;
  logger: Logger;
  signal?: AbortSignal;
  times?: Partial<ReflectorTimes>;
  observe?: (event: ReflectorEvent) => void;
};

const DEFAULT_TIMES: ReflectorTimes = {
  pageLimit: LIST_LIMITS.pageLimit,
  pageBytes: LIST_LIMITS.pageBytes,
  listTimeoutMs: LIST_LIMITS.timeoutMs,
  watchSeconds: [290, 590],
  silenceMs: 150_000,
  backoff: { initial: 500, max: 30_000 },
};
const NOT_SYNCED = "not synced";

/**
 * Keeps a handler told of every object of a resource: a paginated list, then a watch with bookmarks, resumed from the last resourceVersion when it ends.
 * It lists anew when the server no longer knows that version (410), when the cluster's versions went back (restored from a backup), and when
 * resuming fails repeatedly; never does a failed list count as an empty one. Errors are retried for ever with jittered backoff; `Retry-After` is honoured.
 */
export function startReflector<T>(options: ReflectorOptions<T>): Reflector {
  const times = { ...DEFAULT_TIMES, ...options.times };
  const { client, resource, reduce, handler, logger } = options;
  const what = { resource: resource.plural, namespace: resource.namespace };
  const stop = new AbortController();
  const synced = Promise.withResolvers<void>();
  synced.promise.catch(() => undefined);
  let proof = performance.now();
  let fault: string | undefined = NOT_SYNCED;
  /** Everything up to here was handled; undefined: a list is due. */
  let version: string | undefined;
  let failures = 0;
  let session: AbortController | undefined;
  /** Why another list was asked for while one was running. */
  let wanted: string | undefined;

  const proved = () => {
    if (fault !== undefined && fault !== NOT_SYNCED) logger.info(what, "reflector recovered");
    proof = performance.now();
    failures = 0;
    fault = undefined;
  };

  const list = async (): Promise<string> => {
    options.observe?.("list");
    wanted = undefined;
    const limits = { ...times, timeoutMs: times.listTimeoutMs };
    const done = await listInto(handler, {
      client,
      resource,
      reduce,
      limits,
      signal: stop.signal,
    });
    proved();
    synced.resolve();
    logger.debug({ ...what, ...done }, "listed");
    return done.resourceVersion;
  };

  const handle = async (event: WatchEvent<T>) => {
    if (event.type === "upsert") await handler.upsert(event.item, "watch");
    else if (event.type === "removed") await handler.removed(event.item);
    if (session?.signal.aborted !== true) version = event.resourceVersion;
    proved();
  };

  const round = async () => {
    if (version === undefined) {
      const listed = await list();
      if (wanted !== undefined) {
        const reason = wanted;
        wanted = undefined;
        throw new KubeError(0, "Relist", reason);
      }
      version = listed;
    } else if (await wentBack({ client, resource, since: version, signal: stop.signal })) {
      logger.warn({ ...what, version }, "the cluster's versions went back, listing anew");
      options.observe?.("went-back");
      version = undefined;
      return;
    }
    options.observe?.("watch");
    session = new AbortController();
    const signal = AbortSignal.any([session.signal, stop.signal]);
    await runWatch({
      ...times,
      client,
      resource,
      reduce,
      handle,
      resourceVersion: version,
      signal,
    });
  };

  const loop = async () => {
    while (!stop.signal.aborted) {
      try {
        await round();
      } catch (err) {
        if (stop.signal.aborted) return;
        if (err === session?.signal.reason) continue;
        failures++;
        options.observe?.("failure");
        const { delayMs, relist } = recover(err, failures, times.backoff);
        if (relist) version = undefined;
        fault = faultOf(err);
        logger.warn({ err, ...what, failures, relist, delayMs }, "reflector interrupted");
        await sleep(delayMs, undefined, { signal: stop.signal }).catch(() => undefined);
      }
    }
  };

  const onAbort = () => stop.abort();
  options.signal?.addEventListener("abort", onAbort, { once: true });
  if (options.signal?.aborted === true) onAbort();
  const running = loop();
  return {
    synced: synced.promise,
    staleness: () => performance.now() - proof,
    fault: () => fault,
    relist(reason) {
      logger.info({ ...what, reason }, "listing anew");
      if (version === undefined) wanted = reason;
      version = undefined;
      session?.abort(new KubeError(0, "Relist", reason));
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      options.signal?.removeEventListener("abort", onAbort);
      await running;
      synced.reject(new Error("the reflector was disposed before its first list"));
    },
  };
}
