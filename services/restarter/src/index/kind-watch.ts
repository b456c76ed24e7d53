import { setTimeout as sleep } from "node:timers/promises";
import { isServed } from "@rollcast/kube/discovery";
import type { Reflector } from "@rollcast/kube/reflector";
import type { WorkloadKind } from "@rollcast/kube/workloads/kind";
import { createUnit } from "./namespace-watch.ts";
import type { Unit, UnitOptions } from "./namespace-watch.ts";

export type KindWatchOptions = UnitOptions & {
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
const LOOK_MS = 10_000;
const FIRST_LOOKS_MS = 500;

export function watchKind(options: KindWatchOptions, kind: WorkloadKind): KindWatch {
  const { client, logger, signal } = options;
  const stop = new AbortController();
  const ending = AbortSignal.any([signal, stop.signal]);
  const namespaces = options.namespaces.length === 0 ? [undefined] : options.namespaces;
  const known = Promise.withResolvers<void>();
  let units: Unit[] = [];
  let settled = false;

  const close = async () => {
    const closing = units;
    units = [];
    await Promise.all(closing.map((unit) => unit[Symbol.asyncDispose]()));
  };
  const look = async () => {
    if (kind.optional === true && !(await isServed(client, kind, ending))) {
      if (units.length > 0) logger.info({ kind: kind.kind }, "kind is no longer served");
      await close();
      return;
    }
    if (units.length === 0) {
      options.served(kind);
      units = namespaces.map((namespace) => createUnit(options, kind, namespace));
    }
    await Promise.all(units.map((unit) => unit.look()));
  };
  const loop = async () => {
    while (!ending.aborted) {
      try {
        await look();
        settled ||= units.every((unit) => unit.state() !== "starting");
        if (settled) known.resolve();
      } catch (err) {
        if (ending.aborted) break;
        logger.warn({ err, kind: kind.kind }, "it is unknown whether the kind can be followed");
      }
      const delay = settled ? LOOK_MS : FIRST_LOOKS_MS;
      await Promise.race([
        sleep(delay, undefined, { signal: ending }).catch(() => undefined),
        ...(settled ? [] : [firstLists(units)]),
      ]);
    }
  };
  const looping = loop();
  const longest = (counts: (one: Reflector) => boolean) => {
    const open = units.map((unit) => unit.reflector).filter((one) => one !== undefined);
    const counted = open.filter(counts);
    if (counted.length === 0) return undefined;
    return { resource: kind.plural, ms: Math.max(...counted.map((one) => one.staleness())) };
  };
  return {
    kind: kind.kind,
    known: known.promise,
    forbidden: () => units.filter((unit) => unit.state() === "forbidden").length,
    watching: () => units.some((unit) => unit.state() === "watching"),
    fault: () =>
      units
        .filter((unit) => unit.state() === "watching")
        .map((unit) => unit.reflector?.fault())
        .find((one) => one !== undefined),
    staleness: () => longest(() => true),
    silence: () => longest((one) => one.fault() === undefined),
    async [Symbol.asyncDispose]() {
      stop.abort();
      await looping;
      // What is known stays known: only following ends.
      await Promise.all(units.map((unit) => unit.reflector?.[Symbol.asyncDispose]()));
    },
  };
}

/** Settles when every list that was begun is there; never where one of them cannot come. */
async function firstLists(units: readonly Unit[]): Promise<void> {
  const open = units.map((unit) => unit.reflector).filter((one) => one !== undefined);
  if (open.length === 0) return new Promise(() => undefined);
  await Promise.all(open.map((one) => one.synced.catch(() => undefined)));
}
