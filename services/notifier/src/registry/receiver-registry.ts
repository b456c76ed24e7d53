import { createHash } from "node:crypto";
import type { Env } from "@rollcast/runtime/config/load";
import { readSecret } from "@rollcast/runtime/files/read-secret";
import type { NotifierConfig } from "@rollcast/shared/config/notifier";
import type { RateLimit, ReceiverConfig } from "@rollcast/shared/config/receivers";
import { SecretRef } from "@rollcast/shared/config/secret-ref";
import { createCircuit } from "../http/circuit.ts";
import type { Circuit } from "../http/circuit.ts";
import { openReceivers, rateLimitOf } from "../receivers/open-receivers.ts";
import type { Receiver, ReceiverDeps } from "../receivers/receiver.ts";
import { createRouter } from "../route/router.ts";
import type { Router } from "../route/router.ts";

/** The open receivers of a configuration. */
export type ReceiverRegistry = {
  readonly receivers: ReadonlyMap<string, Receiver>;
  readonly circuits: ReadonlyMap<string, Circuit>;
  readonly rateLimits: ReadonlyMap<string, RateLimit>;
  readonly route: Router;
  /**
   * What each receiver was opened from: its configuration, the digest of its secrets, and the
   * templates.
   */
  readonly fingerprints: ReadonlyMap<string, string>;
};

/** All references to secrets in a part of the configuration, at any depth. */
function secretRefs(part: unknown): SecretRef[] {
  if (typeof part !== "object" || part === null) return [];
  const ref = SecretRef.safeParse(part);
  return ref.success ? [ref.data] : Object.values(part).flatMap(secretRefs);
}

/**
 * A secret that cannot be read has a value of its own, so that the fingerprint changes when it
 * appears.
 */
async function secretState(ref: SecretRef, env: Env): Promise<string> {
  try {
    return `secret ${await readSecret(ref, env)}`;
  } catch {
    return "none";
  }
}

/**
 * A digest that changes with a receiver's configuration or any secret it refers to. It never leaves
 * the process.
 */
export async function fingerprintOf(receiver: ReceiverConfig, env: Env): Promise<string> {
  const secrets = await Promise.all(secretRefs(receiver).map((ref) => secretState(ref, env)));
  return createHash("sha256")
    .update(JSON.stringify([receiver, secrets]))
    .digest("hex");
}

/**
 * Opens the receivers of `config`. A receiver that did not change since `before` is kept, with its
 * circuit breaker; any other is opened anew, so one that answered 410 is tried again. Throws a
 * ConfigError that names every fault; then nothing has changed.
 */
export async function openReceiverRegistry(
  config: NotifierConfig,
  deps: ReceiverDeps,
  before?: ReceiverRegistry,
): Promise<ReceiverRegistry> {
  const route = createRouter(config, deps.cluster);
  const templates = JSON.stringify(config.templates);
  const configured = config.receivers.filter(({ none }) => none === undefined);
  const fingerprints = new Map<string, string>();
  for (const receiver of configured) {
    fingerprints.set(receiver.name, `${await fingerprintOf(receiver, deps.env)} ${templates}`);
  }
  const isUnchanged = (name: string) => before?.fingerprints.get(name) === fingerprints.get(name);
  const changed = configured.filter(({ name }) => !isUnchanged(name));
  const opened = await openReceivers({ ...config, receivers: changed }, deps);
  const receivers = new Map<string, Receiver>();
  const circuits = new Map<string, Circuit>();
  for (const { name } of configured) {
    const receiver = opened.get(name) ?? before?.receivers.get(name);
    if (receiver !== undefined) receivers.set(name, receiver);
    circuits.set(
      name,
      (isUnchanged(name) ? before?.circuits.get(name) : undefined) ?? createCircuit(),
    );
  }
  const rateLimits = new Map(configured.map((receiver) => [receiver.name, rateLimitOf(receiver)]));
  return { receivers, circuits, rateLimits, route, fingerprints };
}

/** Longer than one attempt takes. */
const CLOSE_AFTER_MS = 90_000;

/** Closes replaced receivers once their running attempts have ended, at the latest on disposal. */
export type ReceiverCloser = AsyncDisposable & {
  closeReplaced(before: ReceiverRegistry, after: ReceiverRegistry): void;
};

export function createReceiverCloser(): ReceiverCloser {
  const waiting = new Map<Receiver, NodeJS.Timeout>();
  const close = async (receiver: Receiver) => {
    clearTimeout(waiting.get(receiver));
    waiting.delete(receiver);
    await receiver[Symbol.asyncDispose]();
  };
  return {
    closeReplaced(before, after) {
      const kept = new Set(after.receivers.values());
      for (const receiver of before.receivers.values()) {
        if (kept.has(receiver)) continue;
        const timer = setTimeout(() => void close(receiver).catch(() => undefined), CLOSE_AFTER_MS);
        waiting.set(receiver, timer.unref());
      }
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...waiting.keys()].map(close));
    },
  };
}
