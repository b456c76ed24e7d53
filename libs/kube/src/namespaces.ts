import type { Logger } from "@rollcast/runtime/logger";
import type { KubeClient } from "./client.ts";
import { parseTime } from "./object.ts";
import type { KubeObject } from "./object.ts";
import { startReflector } from "./reflector.ts";
import type { Reflector } from "./reflector.ts";
import type { ReflectorEvent, ReflectorTimes } from "./reflector-options.ts";

/** A namespace that matches; `createdAt` in milliseconds since the epoch. */
export type ObservedNamespace = { readonly name: string; readonly createdAt: number };

export type NamespacesOptions = {
  client: KubeClient;
  /** Matched by the server, so that a change of labels arrives as coming or going. */
  labelSelector: string;
  /** Names that never match. */
  ignore: readonly string[];
  logger: Logger;
  /**
   * A namespace begins to match, after the first list. It counts as matching when this has ended; a
   * throw makes it begin again.
   */
  entered: (namespace: ObservedNamespace) => Promise<void>;
  /** A namespace matches no more, or is gone. */
  left: (name: string) => Promise<void>;
  times?: Partial<ReflectorTimes>;
  observe?: (event: ReflectorEvent) => void;
};

/** The namespaces that match a label selector, as they are now. */
export type Namespaces = AsyncDisposable &
  Pick<Reflector, "synced" | "staleness" | "fault"> & {
    has(name: string): boolean;
    names(): readonly string[];
    /**
     * Settles when a namespace that begins to match has begun; undefined where it is not just
     * beginning.
     */
    entering(name: string): Promise<void> | undefined;
  };

/** Follows the namespaces that match. Only metadata is read. */
export function watchNamespaces(options: NamespacesOptions): Namespaces {
  const matching = new Set<string>();
  const entering = new Map<string, Promise<void>>();
  const ignored = new Set(options.ignore);
  let unseen = new Set<string>();
  let first = true;

  const enter = async (namespace: ObservedNamespace) => {
    const { name } = namespace;
    const begun = options.entered(namespace).then(() => {
      matching.add(name);
    });
    // Who waits here goes on when it is settled, and looks again; a failure is the reflector's to
    // repeat.
    entering.set(
      name,
      begun.catch(() => undefined),
    );
    try {
      await begun;
    } finally {
      entering.delete(name);
    }
  };
  const leave = async (name: string) => {
    if (matching.delete(name)) await options.left(name);
  };
  const reflector = startReflector<ObservedNamespace>({
    ...options,
    resource: {
      group: "",
      version: "v1",
      plural: "namespaces",
      labelSelector: options.labelSelector,
      metadataOnly: true,
    },
    transform: ({ metadata }: KubeObject) => ({
      name: metadata.name,
      createdAt: parseTime(metadata.creationTimestamp) ?? 0,
    }),
    handler: {
      listStarted() {
        unseen = new Set(matching);
      },
      async upsert(namespace) {
        const { name } = namespace;
        unseen.delete(name);
        if (ignored.has(name) || matching.has(name)) return;
        if (first) matching.add(name);
        else await enter(namespace);
      },
      removed: ({ name }) => leave(name),
      async listed() {
        first = false;
        for (const name of unseen) await leave(name);
      },
    },
  });
  return {
    synced: reflector.synced,
    staleness: () => reflector.staleness(),
    fault: () => reflector.fault(),
    has: (name) => matching.has(name),
    names: () => [...matching],
    entering: (name) => entering.get(name),
    [Symbol.asyncDispose]: () => reflector[Symbol.asyncDispose](),
  };
}
