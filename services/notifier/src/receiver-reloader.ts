import type { Config } from "@rollcast/shared/config/schema";
import type { Context } from "./context.ts";
import { fingerprintOf } from "./registry/fingerprint.ts";
import { tellReceivers } from "./registry/registered-receivers.ts";
import { createRetiring, openSetup } from "./registry/receiver-registry.ts";
import type { ReceiverDeps } from "./receivers/receiver-options.ts";
import type { Setup } from "./registry/receiver-registry.ts";
import type { Queues } from "./queue/delivery-queues.ts";
import type { Workers } from "./queue/workers.ts";

/** What the configuration says now, and how it becomes another while the notifier runs. */
export type Live = AsyncDisposable & {
  readonly setup: Setup;
  readonly config: Config;
  /** Makes another configuration count. Throws where it cannot; what counted before goes on counting then, and the call may be repeated. */
  apply(config: Config, parts: LiveParts): Promise<void>;
  /** Another one when a secret has changed that a receiver refers to. */
  fingerprint(): Promise<string>;
};

export type LiveParts = {
  readonly ctx: Context;
  readonly queues: Queues;
  readonly workers: Workers;
  /** Gives what waits for a removed receiver its turn. */
  readonly sweep: () => void;
};

function sameNames(a: Setup, b: Setup): boolean {
  return (
    a.receivers.size === b.receivers.size &&
    [...a.receivers.keys()].every((name) => b.receivers.has(name))
  );
}

function difference(before: Setup, after: Setup) {
  const names = (a: Setup, keep: (name: string) => boolean) => [...a.receivers.keys()].filter(keep);
  return {
    added: names(after, (name) => !before.receivers.has(name)),
    removed: names(before, (name) => !after.receivers.has(name)),
    changed: names(after, (name) => {
      const old = before.receivers.get(name);
      return old !== undefined && old !== after.receivers.get(name);
    }),
  };
}

/** Parts of the file that differ and are read at the start only. */
function otherParts(a: Config, b: Config): string[] {
  const keys = Object.keys({ ...a, ...b }) as (keyof Config)[];
  const other = keys.filter(
    (key) => key !== "notifier" && JSON.stringify(a[key]) !== JSON.stringify(b[key]),
  );
  const sameApi = JSON.stringify(a.notifier.api) === JSON.stringify(b.notifier.api);
  return sameApi ? other : [...other, "notifier.api"];
}

/** Opens the receivers of the first configuration. Throws a ConfigError that names every fault. */
export async function openLive(first: Config, deps: ReceiverDeps): Promise<Live> {
  const retiring = createRetiring();
  let config = first;
  let setup = await openSetup({ config: first.notifier, deps });
  let told: Setup | undefined;

  const prepare = async (next: Setup, { ctx, queues }: LiveParts) => {
    await queues.open(next.rateLimits);
    if (told !== undefined && sameNames(told, next)) return;
    // Before anything is sent to a new receiver, so that no replica takes it for a removed one.
    const removed = await tellReceivers(ctx, [...next.receivers.keys()]);
    told = next;
    await queues.forget(removed.filter((name) => !setup.receivers.has(name)));
  };
  return {
    get setup() {
      return setup;
    },
    get config() {
      return config;
    },
    async apply(wanted, parts) {
      const { ctx, queues, workers } = parts;
      const before = setup;
      const next = await openSetup({ config: wanted.notifier, deps }, before);
      try {
        await prepare(next, parts);
      } catch (err) {
        retiring.retire(next, before);
        throw err;
      }
      setup = next;
      config = wanted;
      retiring.retire(before, next);
      ctx.metrics.known(next.receivers.keys());
      await workers.set(next.rateLimits);
      await queues.keep(next.rateLimits);
      const what = difference(before, next);
      await queues.forget(what.removed);
      if (Object.values(what).some((names) => names.length > 0)) {
        ctx.logger.info(what, "receivers are others now");
        parts.sweep();
      }
      const keys = otherParts(first, wanted);
      if (keys.length > 0) ctx.logger.warn({ keys }, "these parts count from the next start on");
    },
    async fingerprint() {
      const { receivers } = config.notifier;
      return JSON.stringify(
        await Promise.all(receivers.map((one) => fingerprintOf(one, deps.env))),
      );
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...setup.receivers.values()].map((one) => one[Symbol.asyncDispose]()));
      await retiring[Symbol.asyncDispose]();
    },
  };
}
