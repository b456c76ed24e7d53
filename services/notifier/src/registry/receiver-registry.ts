import type { NotifierConfig, RateLimit } from "@rollcast/shared/config/notifier";
import { createCircuit } from "../http/circuit.ts";
import type { Circuit } from "../http/circuit.ts";
import { fingerprintOf } from "./fingerprint.ts";
import { openReceivers, rateLimitOf } from "../receivers/open-receivers.ts";
import type { ReceiverDeps } from "../receivers/receiver-options.ts";
import type { Receiver } from "../receivers/receiver.ts";
import { createRouter } from "../route/router.ts";
import type { Router } from "../route/router.ts";

/** What the configuration says now; replaced as a whole when it changes. */
export type Setup = {
  readonly receivers: ReadonlyMap<string, Receiver>;
  readonly circuits: ReadonlyMap<string, Circuit>;
  readonly rateLimits: ReadonlyMap<string, RateLimit>;
  readonly route: Router;
  /** What each receiver was opened from: its configuration, the secrets that it refers to (their digest), the templates. */
  readonly fingerprints: ReadonlyMap<string, string>;
};

export type SetupOptions = {
  readonly config: NotifierConfig;
  readonly deps: ReceiverDeps;
};

const NOTHING: Setup = {
  receivers: new Map(),
  circuits: new Map(),
  rateLimits: new Map(),
  route: () => ({ memberships: [], routes: [], refused: [] }),
  fingerprints: new Map(),
};

/**
 * Opens what `config` names. A receiver that is as in `before` is kept as it is, with its circuit; any other is opened anew, so one that answered 410 is asked again.
 * Throws a ConfigError that names every fault, and then nothing has changed.
 */
export async function openSetup(options: SetupOptions, before: Setup = NOTHING): Promise<Setup> {
  const { config, deps } = options;
  const route = createRouter(config, deps.cluster);
  const templates = JSON.stringify(config.templates);
  const told = config.receivers.filter(({ none }) => none === undefined);
  const fingerprints = new Map<string, string>();
  for (const one of told) {
    fingerprints.set(one.name, `${await fingerprintOf(one, deps.env)} ${templates}`);
  }
  const isKept = (name: string) => before.fingerprints.get(name) === fingerprints.get(name);
  const changed = told.filter(({ name }) => !isKept(name));
  const fresh = await openReceivers({ ...config, receivers: changed }, deps);
  const receivers = new Map<string, Receiver>();
  const circuits = new Map<string, Circuit>();
  for (const { name } of told) {
    const receiver = fresh.get(name) ?? before.receivers.get(name);
    if (receiver !== undefined) receivers.set(name, receiver);
    circuits.set(name, (isKept(name) ? before.circuits.get(name) : undefined) ?? createCircuit());
  }
  const rateLimits = new Map(told.map((one) => [one.name, rateLimitOf(one)]));
  return { receivers, circuits, rateLimits, route, fingerprints };
}

/** Longer than one try takes. */
const RETIRE_MS = 90_000;

/** Receivers that were replaced: what was under way to them ends as it would have, then they are closed; at the latest at disposal. */
export type Retiring = AsyncDisposable & { retire(before: Setup, after: Setup): void };

export function createRetiring(): Retiring {
  const waiting = new Map<Receiver, NodeJS.Timeout>();
  const close = async (receiver: Receiver) => {
    clearTimeout(waiting.get(receiver));
    waiting.delete(receiver);
    await receiver[Symbol.asyncDispose]();
  };
  return {
    retire(before, after) {
      const kept = new Set(after.receivers.values());
      for (const receiver of before.receivers.values()) {
        if (kept.has(receiver)) continue;
        const timer = setTimeout(() => void close(receiver).catch(() => undefined), RETIRE_MS);
        waiting.set(receiver, timer.unref());
      }
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...waiting.keys()].map(close));
    },
  };
}
