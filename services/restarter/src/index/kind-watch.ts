import { setTimeout as sleep } from "node:timers/promises";
import { isServed, mayList } from "@rollcast/kube/discovery";
import { faultOf } from "@rollcast/kube/recovery";
import { startReflector } from "@rollcast/kube/reflector";
import type { Reflector } from "@rollcast/kube/reflector";
import type { WorkloadKind } from "@rollcast/kube/workloads/kind";
import type { KubeClient } from "@rollcast/kube/client";
import { NOT_SYNCED } from "@rollcast/kube/reflector-options";
import type { ReflectorHandler } from "@rollcast/kube/reflector-options";
import type { Logger } from "@rollcast/runtime/logger";
import type { Rules } from "../model/rules.ts";
import type { Project } from "./pod-templates.ts";
import { projectWorkload } from "./project-workload.ts";
import type { Workload } from "../model/workload.ts";
import type { WorkloadIndex } from "./index-types.ts";

export type KindWatchOptions = NamespaceWatchOptions & {
  /** Empty: all, with one watch. */
  namespaces: readonly string[];
  /**
   * Called with a kind when it is served, and when nobody knows whether it is: whoever asks for one
   * of its objects then gets an error, and does not take it for gone.
   */
  served: (kind: WorkloadKind) => void;
};

/** One workload kind, followed once the cluster serves it and permission is granted. */
export type KindWatch = AsyncDisposable & {
  readonly kind: string;
  /**
   * Resolves when its state is known: listed, not served, or not permitted. An optional kind keeps
   * nobody waiting for longer than a few seconds while its own API fails.
   */
  readonly stateKnown: Promise<void>;
  /** In how many namespaces (1 if one watch covers all) listing it is forbidden. */
  forbidden(): number;
  watching(): boolean;
  /** Why expected changes of a kind that every cluster serves do not arrive. */
  fault(): string | undefined;
  /** The same for an optional kind, whose own API may be broken for days. */
  unavailable(): string | undefined;
  /**
   * The longest time in milliseconds since a watch last proved that it delivers; undefined if none
   * is open.
   */
  staleness(): { resource: string; ms: number } | undefined;
  /** The same for watches without a fault only, also during startup. */
  silence(): { resource: string; ms: number } | undefined;
};

/** How often to check whether a kind is served and may be listed. */
const CHECK_INTERVAL_MS = 10_000;
const FIRST_CHECK_INTERVAL_MS = 500;
/** So long an optional kind is waited for while its API fails. */
const UNAVAILABLE_MS = 3_000;

export function watchKind(options: KindWatchOptions, kind: WorkloadKind): KindWatch {
  const { client, logger, signal } = options;
  const stop = new AbortController();
  const ending = AbortSignal.any([signal, stop.signal]);
  const namespaces = options.namespaces.length === 0 ? [undefined] : options.namespaces;
  const stateKnown = Promise.withResolvers<void>();
  const isOptional = kind.optional === true;
  let namespaceWatches: NamespaceWatch[] = [];
  let settled = false;
  /** Why the last check failed, and since when it, or the list after it, has. */
  let failure: string | undefined;
  let failingSince: number | undefined;

  const watchFault = () =>
    namespaceWatches
      .map((watch) => watch.reflector?.fault())
      .find((fault) => fault !== undefined && fault !== NOT_SYNCED);
  const unavailable = () => (isOptional ? (failure ?? watchFault()) : undefined);
  const close = async () => {
    const closing = namespaceWatches;
    namespaceWatches = [];
    await Promise.all(closing.map((watch) => watch[Symbol.asyncDispose]()));
  };
  const check = async () => {
    if (isOptional && !(await isServed(client, kind, ending))) {
      if (namespaceWatches.length > 0) logger.info({ kind: kind.kind }, "kind no longer served");
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
        failure = undefined;
        settled ||= namespaceWatches.every((watch) => watch.state() !== "starting");
      } catch (err) {
        if (ending.aborted) break;
        failure = faultOf(err);
        if (isOptional) options.served(kind);
        logger.warn({ err, kind: kind.kind }, "kind discovery failed, retrying");
      }
      const isKnown = settled || isGivenUp();
      if (isKnown) stateKnown.resolve();
      const delay = isKnown ? CHECK_INTERVAL_MS : FIRST_CHECK_INTERVAL_MS;
      await Promise.race([
        sleep(delay, undefined, { signal: ending }).catch(() => undefined),
        // Those that are open may be listed already, while another one fails.
        ...(settled || failure !== undefined ? [] : [firstLists(namespaceWatches)]),
      ]);
    }
  };
  /** Whether it is waited for no longer. */
  const isGivenUp = () => {
    const now = Date.now();
    failingSince = unavailable() === undefined ? undefined : (failingSince ?? now);
    return failingSince !== undefined && now - failingSince >= UNAVAILABLE_MS;
  };
  const looping = loop();
  const longest = (counts: (reflector: Reflector) => boolean) => {
    const open = namespaceWatches
      .map((watch) => watch.reflector)
      .filter((reflector) => reflector !== undefined);
    const counted = open.filter(counts);
    if (counted.length === 0) return undefined;
    return {
      resource: kind.plural,
      ms: Math.max(...counted.map((reflector) => reflector.staleness())),
    };
  };
  return {
    kind: kind.kind,
    stateKnown: stateKnown.promise,
    forbidden: () => namespaceWatches.filter((watch) => watch.state() === "forbidden").length,
    watching: () => namespaceWatches.some((watch) => watch.state() === "watching"),
    fault: () =>
      isOptional
        ? undefined
        : namespaceWatches
            .filter((watch) => watch.state() === "watching")
            .map((watch) => watch.reflector?.fault())
            .find((reflector) => reflector !== undefined),
    unavailable,
    staleness: () => longest(() => true),
    silence: () => longest((reflector) => reflector.fault() === undefined),
    async [Symbol.asyncDispose]() {
      stop.abort();
      await looping;
      // The indexed workloads stay: only following ends.
      await Promise.all(namespaceWatches.map((watch) => watch.reflector?.[Symbol.asyncDispose]()));
    },
  };
}

/** Resolves when every started list is complete; never if one of them cannot complete. */
async function firstLists(namespaceWatches: readonly NamespaceWatch[]): Promise<void> {
  const open = namespaceWatches
    .map((watch) => watch.reflector)
    .filter((reflector) => reflector !== undefined);
  if (open.length === 0) return new Promise(() => undefined);
  await Promise.all(open.map((reflector) => reflector.synced.catch(() => undefined)));
}

type NamespaceWatchOptions = {
  client: KubeClient;
  index: WorkloadIndex;
  rules: Rules;
  project: Project;
  logger: Logger;
  signal: AbortSignal;
};

/** One kind in one namespace, or in all. `forbidden`: listing it is forbidden. */
type NamespaceWatch = AsyncDisposable & {
  state(): "starting" | "watching" | "forbidden";
  readonly reflector: Reflector | undefined;
  /**
   * Starts what can start and stops what the API server no longer serves or allows; called
   * repeatedly.
   */
  check(): Promise<void>;
};

/** Whether its annotations ask for something that cannot be read, which is told of it. */
function hasFaults({ faults, owner }: Workload): boolean {
  return faults.length > 0 && owner === undefined;
}

/** Whether it is a CronJob's, and may hold that back; those that have finished are many more. */
function isRun({ finished, owner }: Workload): boolean {
  return owner?.kind === "CronJob" && finished !== true;
}

/** For kinds with many short-lived objects, keeps out of the index what can never roll. */
function keptBy(
  kind: WorkloadKind,
  handler: ReflectorHandler<Workload>,
): ReflectorHandler<Workload> {
  if (kind.transient !== true) return handler;
  return {
    ...handler,
    upsert: (workload, origin) =>
      workload.mayRoll || workload.madeBy !== undefined || isRun(workload) || hasFaults(workload)
        ? handler.upsert(workload, origin)
        : handler.removed(workload),
  };
}

/** Of most kinds a workload; else what makes it, when those before it are handled. */
type Watched = Workload | (() => Workload | Promise<Workload>);

/** Hands on workloads, each as soon as it is made. */
function madeFor(handler: ReflectorHandler<Workload>): ReflectorHandler<Watched> {
  const make = (item: Watched) => (typeof item === "function" ? item() : item);
  return {
    ...handler,
    upsert: async (item, origin) => handler.upsert(await make(item), origin),
    removed: async (item) => handler.removed(await make(item)),
  };
}

/**
 * Follows a kind while it may be listed. Its workloads stay in the index until the kind is no
 * longer served or the unit is disposed.
 */
function createNamespaceWatch(
  options: NamespaceWatchOptions,
  kind: WorkloadKind,
  namespace: string | undefined,
): NamespaceWatch {
  const { client, index, rules, project, logger, signal } = options;
  const { group, version, plural } = kind;
  const resource = { group, version, plural, namespace };
  const what = { resource: plural, group, namespace };
  const handler = madeFor(keptBy(kind, index.handler(kind.kind)));
  let reflector: Reflector | undefined;
  let forbidden = false;
  let synced = false;

  const start = () => {
    const started = startReflector({
      client,
      resource,
      transform: (object): Watched =>
        kind.podTemplateRef?.(object) === undefined
          ? projectWorkload(kind, object, rules)
          : () => project(kind, object),
      handler,
      logger,
      signal,
    });
    reflector = started;
    started.synced.then(
      () => {
        synced = true;
      },
      () => undefined,
    );
  };
  const stop = async () => {
    await reflector?.[Symbol.asyncDispose]();
    reflector = undefined;
    synced = false;
  };
  const forbid = (refused: boolean) => {
    if (refused && !forbidden) {
      logger.error(what, "no permission to list, kind not followed until granted");
    } else if (!refused && forbidden) logger.info(what, "permission to list granted");
    forbidden = refused;
  };
  return {
    state: () => (forbidden ? "forbidden" : synced ? "watching" : "starting"),
    get reflector() {
      return reflector;
    },
    async check() {
      const fault = reflector?.fault();
      if (fault?.startsWith("403 ") === true || fault?.startsWith("404 ") === true) await stop();
      if (reflector !== undefined) return;
      forbid(!(await mayList(client, resource, signal)));
      if (!forbidden) start();
    },
    async [Symbol.asyncDispose]() {
      await stop();
      // Like an empty list: none of its objects exist any more.
      await handler.listStarted?.();
      await handler.listed({ resourceVersion: "0" });
    },
  };
}
