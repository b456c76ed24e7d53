import { KubeError } from "./kube-error.ts";
import { LIST_LIMITS } from "./list.ts";
import { loop } from "./reflector-run.ts";
import type { ReflectorOptions, ReflectorTimes, ReflectorState } from "./reflector-options.ts";
import { NOT_SYNCED } from "./reflector-options.ts";

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
