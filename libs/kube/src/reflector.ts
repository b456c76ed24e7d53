import { setTimeout as sleep } from "node:timers/promises";
import { KubeError } from "./kube-error.ts";
import { LIST_LIMITS, listInto } from "./list.ts";
import { NOT_SYNCED } from "./reflector-options.ts";
import type { ReflectorOptions, ReflectorState, ReflectorTimes } from "./reflector-options.ts";
import { faultOf, recover } from "./recovery.ts";
import { watchEvents } from "./watch-stream.ts";
import type { WatchEvent } from "./watch-stream.ts";
import type { KubeClient } from "./client.ts";
import type { ReflectedResource } from "./resource.ts";
import type { KubeObject } from "./object.ts";
import { apiPath } from "./api-path.ts";
import { compareVersions } from "./resource-version.ts";

export type { KubeObject } from "./object.ts";

export type { ReflectedResource } from "./resource.ts";

export type Reflector = AsyncDisposable & {
  /** Settles when the first list was handled completely; rejects when disposed before. */
  readonly synced: Promise<void>;
  /**
   * Milliseconds since the last proof that changes are consumed: a list, an event or a bookmark
   * that was handled.
   */
  staleness(): number;
  /** Why changes are not consumed now (`not synced`, `429 TooManyRequests`, ...), or undefined. */
  fault(): string | undefined;
  /** Lists anew, e.g. because the handler missed something; `message` says why, in the log. */
  relist(message: string): void;
};

const DEFAULT_TIMES: ReflectorTimes = {
  pageLimit: LIST_LIMITS.pageLimit,
  pageBytes: LIST_LIMITS.pageBytes,
  listTimeoutMs: LIST_LIMITS.timeoutMs,
  watchSeconds: [290, 590],
  silenceMs: 150_000,
  backoff: { initial: 500, max: 30_000 },
};

/**
 * Calls a handler for every object of a resource: a paginated list, then a watch with
 * bookmarks, resumed from the last resourceVersion when it ends. It lists anew when the server no
 * longer knows that version (410), when the cluster's versions went back (restored from a backup),
 * and when resuming fails repeatedly; never does a failed list count as an empty one. Errors are
 * retried for ever with jittered backoff; `Retry-After` is honoured.
 */
export function startReflector<T>(options: ReflectorOptions<T>): Reflector {
  const { resource, logger } = options;
  const what = { resource: resource.plural, namespace: resource.namespace };
  const state: ReflectorState = {
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
    relist(message) {
      logger.info({ ...what, message }, "relisting");
      if (state.version === undefined) state.wanted = message;
      state.version = undefined;
      state.session?.abort(new KubeError(0, "Relist", message));
    },
    async [Symbol.asyncDispose]() {
      state.stop.abort();
      options.signal?.removeEventListener("abort", onAbort);
      await running;
      state.synced.reject(new Error("the reflector was disposed before its first list"));
    },
  };
}

/** A watch that lived so long was accepted and worked. */
const STEADY_MS = 10_000;

type Run<T> = {
  readonly options: ReflectorOptions<T>;
  readonly times: ReflectorTimes;
  /** For log lines. */
  readonly what: { readonly resource: string; readonly namespace: string | undefined };
  readonly state: ReflectorState;
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

/**
 * Lists and returns the version to watch from. Throws where another list was asked for meanwhile.
 */
async function list<T>(run: Run<T>): Promise<string> {
  const { options, times, state, what } = run;
  const { client, resource, transform, handler } = options;
  options.observe?.("list");
  state.wanted = undefined;
  const limits = { ...times, timeoutMs: times.listTimeoutMs };
  const { signal } = state.stop;
  const retried = (err: KubeError) => {
    options.observe?.("failure");
    options.logger.warn({ err, ...what }, "retrying page of a list");
  };
  const done = await listInto(handler, { client, resource, transform, limits, signal, retried });
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
    // A quiet watch that lasted has nothing to do with the failures before it; one that died in
    // silence has.
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
    options.logger.warn({ ...what, version }, "the cluster's versions went back, relisting");
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

type WatchSession<T> = {
  client: KubeClient;
  resource: ReflectedResource;
  transform: (object: KubeObject) => T;
  resourceVersion: string;
  /** Seconds after which the server ends the watch, drawn between these two. */
  watchSeconds: readonly [min: number, max: number];
  /** Milliseconds without a byte after which the watch counts as dead. */
  silenceMs: number;
  handle: (event: WatchEvent<T>) => Promise<void>;
  /** The server has accepted the watch. */
  opened: () => void;
  signal: AbortSignal;
};

/**
 * A watch that ends sooner and brought nothing is a failure, else a broken server would be asked
 * without pause.
 */
const SHORT_WATCH_MS = 1_000;
const PROBE_TIMEOUT_MS = 10_000;
/** No object has this name. */
const NOBODY = "metadata.name=-";

/**
 * Runs one watch to its end, handling one event after the other. Returns when the server ended it;
 * throws {@link KubeError} (`Silent` where no byte came in time, while nothing was being handled),
 * or the reason of `signal`.
 */
async function runWatch<T>(session: WatchSession<T>): Promise<void> {
  const { silenceMs, handle } = session;
  const [min, max] = session.watchSeconds;
  const end = new AbortController();
  let busy = false;
  const watchdog = setTimeout(() => {
    if (busy) watchdog.refresh();
    else end.abort(new KubeError(0, "Silent", `no byte within ${silenceMs} ms`));
  }, silenceMs);
  const onAbort = () => end.abort(session.signal.reason);
  session.signal.addEventListener("abort", onAbort, { once: true });
  const started = performance.now();
  let eventCount = 0;
  try {
    session.signal.throwIfAborted();
    const events = watchEvents({
      ...session,
      timeoutSeconds: Math.round(min + Math.random() * (max - min)),
      alive: () => watchdog.refresh(),
      signal: end.signal,
    });
    for await (const event of events) {
      eventCount++;
      busy = true;
      await handle(event);
      busy = false;
      watchdog.refresh();
    }
  } finally {
    clearTimeout(watchdog);
    session.signal.removeEventListener("abort", onAbort);
  }
  if (eventCount === 0 && performance.now() - started < SHORT_WATCH_MS) {
    throw new KubeError(0, "ShortWatch", "the watch ended at once and brought nothing");
  }
}

/**
 * The newest resourceVersion of the cluster is older than `since`: it was restored from a backup. A
 * watch from `since` on would be accepted and stay silent until the versions have grown past it.
 */
async function wentBack(options: {
  client: KubeClient;
  resource: ReflectedResource;
  since: string;
  signal: AbortSignal;
}): Promise<boolean> {
  const { client, resource, since, signal } = options;
  const answer = await client.request<{ metadata?: { resourceVersion?: string } }>({
    method: "GET",
    path: apiPath(resource, resource.namespace),
    query: { limit: "1", fieldSelector: NOBODY },
    timeoutMs: PROBE_TIMEOUT_MS,
    signal,
  });
  const now = answer.metadata?.resourceVersion;
  return now !== undefined && compareVersions(now, since) < 0;
}
