import { setTimeout as sleep } from "node:timers/promises";
import type { Backoff } from "@rollcast/async/backoff";
import type { Logger } from "@rollcast/runtime/logger";
import type { KubeClient } from "./client.ts";
import { KubeError } from "./kube-error.ts";
import { LIST_LIMITS, listInto } from "./list.ts";
import type { ReflectedResource } from "./resource.ts";
import type { KubeObject } from "./object.ts";
import { faultOf, recover } from "./recovery.ts";
import { runWatch, wentBack } from "./watch-session.ts";
import type { WatchEvent } from "./watch-stream.ts";

export type { KubeObject } from "./object.ts";
export type { ReflectedResource } from "./resource.ts";

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
/** A watch that lived so long was accepted and worked. */
const STEADY_MS = 10_000;
const NOT_SYNCED = "not synced";

/** What a running reflector knows of itself. */
type State = {
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

type Run<T> = {
  readonly options: ReflectorOptions<T>;
  readonly times: ReflectorTimes;
  /** For log lines. */
  readonly what: { readonly resource: string; readonly namespace: string | undefined };
  readonly state: State;
};

function recovered<T>({ state, options, what }: Run<T>): void {
  const { fault } = state;
  if (fault !== undefined && fault !== NOT_SYNCED) {
    options.logger.info(what, "reflector recovered");
  }
  state.fault = undefined;
}

function proved<T>(run: Run<T>): void {
  recovered(run);
  run.state.proof = performance.now();
  run.state.failures = 0;
}

/** Lists and returns the version to watch from. Throws where another list was asked for meanwhile. */
async function list<T>(run: Run<T>): Promise<string> {
  const { options, times, state, what } = run;
  const { client, resource, reduce, handler } = options;
  options.observe?.("list");
  state.wanted = undefined;
  const limits = { ...times, timeoutMs: times.listTimeoutMs };
  const { signal } = state.stop;
  const retried = (err: KubeError) => {
    options.observe?.("failure");
    options.logger.warn({ err, ...what }, "page of a list asked for again");
  };
  const done = await listInto(handler, { client, resource, reduce, limits, signal, retried });
  proved(run);
  state.synced.resolve();
  options.logger.debug({ ...what, ...done }, "listed");
  if (state.wanted !== undefined) throw new KubeError(0, "Relist", state.wanted);
  return done.resourceVersion;
}

async function handle<T>(run: Run<T>, event: WatchEvent<T>): Promise<void> {
  const { options, state } = run;
  if (event.type === "upsert") await options.handler.upsert(event.item, "watch");
  else if (event.type === "removed") await options.handler.removed(event.item);
  if (state.session?.signal.aborted !== true) state.version = event.resourceVersion;
  proved(run);
}

async function watch<T>(run: Run<T>, resourceVersion: string): Promise<void> {
  const { options, times, state } = run;
  options.observe?.("watch");
  state.session = new AbortController();
  const began = performance.now();
  try {
    await runWatch({
      ...times,
      ...options,
      resourceVersion,
      handle: (event) => handle(run, event),
      opened: () => recovered(run),
      signal: AbortSignal.any([state.session.signal, state.stop.signal]),
    });
    state.failures = 0;
  } catch (err) {
    // A quiet watch that lasted has nothing to do with the failures before it; one that died in silence has.
    const silent = err instanceof KubeError && err.reason === "Silent";
    if (!silent && performance.now() - began > STEADY_MS) state.failures = 0;
    throw err;
  }
}

async function round<T>(run: Run<T>): Promise<void> {
  const { options, state, what } = run;
  const { client, resource } = options;
  const { version } = state;
  if (version === undefined) state.version = await list(run);
  else if (await wentBack({ client, resource, since: version, signal: state.stop.signal })) {
    options.logger.warn({ ...what, version }, "the cluster's versions went back, listing anew");
    options.observe?.("went-back");
    state.version = undefined;
  }
  if (state.version !== undefined) await watch(run, state.version);
}

async function loop<T>(run: Run<T>): Promise<void> {
  const { options, times, state, what } = run;
  const { signal } = state.stop;
  while (!signal.aborted) {
    try {
      await round(run);
    } catch (err) {
      if (signal.aborted) return;
      if (err === state.session?.signal.reason) continue;
      state.failures++;
      options.observe?.("failure");
      const { delayMs, relist } = recover(err, state.failures, times.backoff);
      if (relist) state.version = undefined;
      state.fault = faultOf(err);
      const { failures } = state;
      options.logger.warn({ err, ...what, failures, relist, delayMs }, "reflector interrupted");
      await sleep(delayMs, undefined, { signal }).catch(() => undefined);
    }
  }
}

/**
 * Keeps a handler told of every object of a resource: a paginated list, then a watch with bookmarks, resumed from the last resourceVersion when it ends.
 * It lists anew when the server no longer knows that version (410), when the cluster's versions went back (restored from a backup), and when
 * resuming fails repeatedly; never does a failed list count as an empty one. Errors are retried for ever with jittered backoff; `Retry-After` is honoured.
 */
export function startReflector<T>(options: ReflectorOptions<T>): Reflector {
  const { resource, logger } = options;
  const what = { resource: resource.plural, namespace: resource.namespace };
  const state: State = {
    version: undefined,
    fault: NOT_SYNCED,
    failures: 0,
    proof: performance.now(),
    session: undefined,
    wanted: undefined,
    stop: new AbortController(),
    synced: Promise.withResolvers<void>(),
  };
  state.synced.promise.catch(() => undefined);
  const onAbort = () => state.stop.abort();
  options.signal?.addEventListener("abort", onAbort, { once: true });
  if (options.signal?.aborted === true) onAbort();
  const running = loop({ options, times: { ...DEFAULT_TIMES, ...options.times }, what, state });
  return {
    synced: state.synced.promise,
    staleness: () => performance.now() - state.proof,
    fault: () => state.fault,
    relist(reason) {
      logger.info({ ...what, reason }, "listing anew");
      if (state.version === undefined) state.wanted = reason;
      state.version = undefined;
      state.session?.abort(new KubeError(0, "Relist", reason));
    },
    async [Symbol.asyncDispose]() {
      state.stop.abort();
      options.signal?.removeEventListener("abort", onAbort);
      await running;
      state.synced.reject(new Error("the reflector was disposed before its first list"));
    },
  };
}
