import { setTimeout as sleep } from "node:timers/promises";
import { KubeError } from "./kube-error.ts";
import { listInto } from "./list.ts";
import { faultOf, recover } from "./recovery.ts";
import { runWatch, wentBack } from "./watch-session.ts";
import type { WatchEvent } from "./watch-stream.ts";
import type { ReflectorOptions, ReflectorTimes, ReflectorState } from "./reflector-options.ts";
import { NOT_SYNCED } from "./reflector-options.ts";

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
export async function list<T>(run: Run<T>): Promise<string> {
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

export async function loop<T>(run: Run<T>): Promise<void> {
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
