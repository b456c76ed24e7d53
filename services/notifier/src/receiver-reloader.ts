import type { Config } from "@rollcast/shared/config/schema";
import type { Context } from "./context.ts";
import type { DeliveryQueues, Workers } from "./queue/delivery-queues.ts";
import type { ReceiverDeps } from "./receivers/receiver.ts";
import {
  createReceiverCloser,
  fingerprintOf,
  openReceiverRegistry,
} from "./registry/receiver-registry.ts";
import type { ReceiverRegistry } from "./registry/receiver-registry.ts";
import { registerReceivers } from "./registry/registered-receivers.ts";

/** Holds the current receivers and replaces them when the configuration changes. */
export type ReceiverReloader = AsyncDisposable & {
  /** One object, of which a reload replaces the fields. */
  readonly registry: ReceiverRegistry;
  readonly config: Config;
  /**
   * Applies a new configuration. If it throws, the previous one stays in effect, and the call may
   * be repeated.
   */
  apply(config: Config, parts: ReloadParts): Promise<void>;
  /** Changes when a secret that a receiver refers to changes. */
  fingerprint(): Promise<string>;
};

export type ReloadParts = {
  readonly ctx: Context;
  readonly queues: DeliveryQueues;
  readonly workers: Workers;
  /** Enqueues the notifications that wait for a removed receiver. */
  readonly resync: () => void;
};

function sameNames(a: ReceiverRegistry, b: ReceiverRegistry): boolean {
  return (
    a.receivers.size === b.receivers.size &&
    [...a.receivers.keys()].every((name) => b.receivers.has(name))
  );
}

function difference(before: ReceiverRegistry, after: ReceiverRegistry) {
  const names = (a: ReceiverRegistry, keep: (name: string) => boolean) =>
    [...a.receivers.keys()].filter(keep);
  return {
    added: names(after, (name) => !before.receivers.has(name)),
    removed: names(before, (name) => !after.receivers.has(name)),
    changed: names(after, (name) => {
      const old = before.receivers.get(name);
      return old !== undefined && old !== after.receivers.get(name);
    }),
  };
}

/** Parts of the configuration that changed but are only read at startup. */
function restartRequired(a: Config, b: Config): string[] {
  const keys = Object.keys({ ...a, ...b }) as (keyof Config)[];
  const other = keys.filter(
    (key) => key !== "notifier" && JSON.stringify(a[key]) !== JSON.stringify(b[key]),
  );
  const sameApi = JSON.stringify(a.notifier.api) === JSON.stringify(b.notifier.api);
  return sameApi ? other : [...other, "notifier.api"];
}

/** Opens the receivers of the first configuration. Throws a ConfigError that names every fault. */
export async function openReceiverReloader(
  first: Config,
  deps: ReceiverDeps,
): Promise<ReceiverReloader> {
  const closer = createReceiverCloser();
  let config = first;
  const registry = await openReceiverRegistry(first.notifier, deps);
  let registered: ReceiverRegistry | undefined;

  const prepare = async (next: ReceiverRegistry, { ctx, queues }: ReloadParts) => {
    await queues.open(next.rateLimits);
    if (registered !== undefined && sameNames(registered, next)) return;
    // Before anything is sent to a new receiver, so that no replica mistakes it for a removed one.
    const removed = await registerReceivers(ctx, [...next.receivers.keys()]);
    registered = next;
    await queues.forget(removed.filter((name) => !registry.receivers.has(name)));
  };
  return {
    registry,
    get config() {
      return config;
    },
    async apply(nextConfig, parts) {
      const { ctx, queues, workers } = parts;
      const before = { ...registry };
      const next = await openReceiverRegistry(nextConfig.notifier, deps, before);
      try {
        await prepare(next, parts);
      } catch (err) {
        closer.closeReplaced(next, before);
        throw err;
      }
      // All at once: nobody routes by one configuration and sends by another.
      Object.assign(registry, next);
      config = nextConfig;
      closer.closeReplaced(before, next);
      ctx.metrics.initialize(next.receivers.keys());
      await workers.set(next.rateLimits);
      await queues.keep(next.rateLimits);
      const changes = difference(before, next);
      await queues.forget(changes.removed);
      if (Object.values(changes).some((names) => names.length > 0)) {
        ctx.logger.info(changes, "receivers reloaded");
        parts.resync();
      }
      const keys = restartRequired(first, nextConfig);
      if (keys.length > 0) ctx.logger.warn({ keys }, "configuration changes need a restart");
    },
    async fingerprint() {
      const { receivers } = config.notifier;
      return JSON.stringify(
        await Promise.all(receivers.map((receiver) => fingerprintOf(receiver, deps.env))),
      );
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(
        [...registry.receivers.values()].map((receiver) => receiver[Symbol.asyncDispose]()),
      );
      await closer[Symbol.asyncDispose]();
    },
  };
}
