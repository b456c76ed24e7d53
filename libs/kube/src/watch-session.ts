import type { KubeClient } from "./client.ts";
import { KubeError } from "./kube-error.ts";
import type { ReflectedResource } from "./resource.ts";
import type { KubeObject } from "./object.ts";
import { apiPath } from "./api-path.ts";
import { compareVersions } from "./resource-version.ts";
import { watchEvents } from "./watch-stream.ts";
import type { WatchEvent } from "./watch-stream.ts";

export type WatchSession<T> = {
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
export async function runWatch<T>(session: WatchSession<T>): Promise<void> {
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
export async function wentBack(options: {
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
