import { setTimeout as sleep } from "node:timers/promises";
import { isServed } from "@rollcast/kube/discovery";
import type { Reflector } from "@rollcast/kube/reflector";
import type { WorkloadKind } from "@rollcast/kube/workloads/kind";
import { createNamespaceWatch } from "./namespace-watch.ts";
import type { NamespaceWatch, NamespaceWatchOptions } from "./namespace-watch.ts";

export type KindWatchOptions = NamespaceWatchOptions & {
  /** Empty: all, with one watch. */
  namespaces: readonly string[];
  /** Told of a kind as it is served. */
  served: (kind: WorkloadKind) => void;
};

/** One kind of workload, followed from when the cluster serves it and permission is given. */
export type KindWatch = AsyncDisposable & {
  readonly kind: string;
  /** Settles when it is known once: listed, not served, or not permitted. */
  readonly known: Promise<void>;
  /** In how many namespaces (all of them: 1) its list is refused for want of permission. */
  forbidden(): number;
  watching(): boolean;
  /** Why changes do not come though they should. */
  fault(): string | undefined;
  /** Milliseconds since the watch that is silent longest last proved that it delivers; undefined where none is open. */
  staleness(): { resource: string; ms: number } | undefined;
  /** The same of those watches only that no fault keeps silent, also in the beginning. */
  silence(): { resource: string; ms: number } | undefined;
};

/** How often it is looked whether a kind is served now and may be listed. */
const CHECK_INTERVAL_MS = 10_000;
const FIRST_CHECK_INTERVAL_MS = 500;

export function watchKind(options: KindWatchOptions, kind: WorkloadKind): KindWatch {
  const { client, logger, signal } = options;
  const stop = new AbortController();
  const ending = AbortSignal.any([signal, stop.signal]);
  const namespaces = options.namespaces.length === 0 ? [undefined] : options.namespaces;
  const known = Promise.withResolvers<void>();
  let namespaceWatches: NamespaceWatch[] = [];
  let settled = false;

  const close = async () => {
    const closing = namespaceWatches;
    namespaceWatches = [];
    await Promise.all(closing.map((watch) => watch[Symbol.asyncDispose]()));
  };
  const check = async () => {
    if (kind.optional === true && !(await isServed(client, kind, ending))) {
      if (namespaceWatches.length > 0) logger.info({ kind: kind.kind }, "kind is no longer served");
      await close();
      return;
    }
    if (namespaceWatches.length === 0) {
      options.served(kind);
      namespaceWatches = namespaces.map((namespace) =>
        createNamespaceWatch(options, kind, namespace),
      );
    }
    await Promise.all(namespaceWatches.map((watch) => watch.check()));
  };
  const loop = async () => {
    while (!ending.aborted) {
      try {
        await check();
        settled ||= namespaceWatches.every((watch) => watch.state() !== "starting");
        if (settled) known.resolve();
      } catch (err) {
        if (ending.aborted) break;
        logger.warn({ err, kind: kind.kind }, "it is unknown whether the kind can be followed");
      }
      const delay = settled ? CHECK_INTERVAL_MS : FIRST_CHECK_INTERVAL_MS;
      await Promise.race([
        sleep(delay, undefined, { signal: ending }).catch(() => undefined),
        ...(settled ? [] : [firstLists(namespaceWatches)]),
      ]);
    }
  };
  const looping = loop();
  const longest = (counts: (one: Reflector) => boolean) => {
    const open = namespaceWatches
      .map((watch) => watch.reflector)
      .filter((one) => one !== undefined);
    const counted = open.filter(counts);
    if (counted.length === 0) return undefined;
    return { resource: kind.plural, ms: Math.max(...counted.map((one) => one.staleness())) };
  };
  return {
    kind: kind.kind,
    known: known.promise,
    forbidden: () => namespaceWatches.filter((watch) => watch.state() === "forbidden").length,
    watching: () => namespaceWatches.some((watch) => watch.state() === "watching"),
    fault: () =>
      namespaceWatches
        .filter((watch) => watch.state() === "watching")
        .map((watch) => watch.reflector?.fault())
        .find((one) => one !== undefined),
    staleness: () => longest(() => true),
    silence: () => longest((one) => one.fault() === undefined),
    async [Symbol.asyncDispose]() {
      stop.abort();
      await looping;
      // What is known stays known: only following ends.
      await Promise.all(namespaceWatches.map((watch) => watch.reflector?.[Symbol.asyncDispose]()));
    },
  };
}

/** Settles when every list that was begun is there; never where one of them cannot come. */
async function firstLists(namespaceWatches: readonly NamespaceWatch[]): Promise<void> {
  const open = namespaceWatches.map((watch) => watch.reflector).filter((one) => one !== undefined);
  if (open.length === 0) return new Promise(() => undefined);
  await Promise.all(open.map((one) => one.synced.catch(() => undefined)));
}
