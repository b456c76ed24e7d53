import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import type { JetStreamClient, JetStreamManager } from "@nats-io/jetstream";
import { AuthorizationError } from "@nats-io/transport-node";
import type { NatsConnection } from "@nats-io/transport-node";
import type { Logger } from "@rollcast/runtime/logger";
import type { NatsIdentity } from "./identity.ts";
import { TIMEOUT_MS, dialUntil } from "./dial.ts";

export type NatsOptions = NatsIdentity & {
  /**
   * `nats://host:4222` or `tls://host:4222`; several separated by commas; credentials as in
   * {@link parseServers}.
   */
  url: string;
  /**
   * Name of this client in the server's monitoring: the service. Answers come to `_INBOX_<name>.>`,
   * which only its user may read.
   */
  name: string;
  logger: Logger;
  /** Milliseconds a JetStream request may take; default 5 s. */
  timeoutMs?: number;
};

/**
 * A connection to NATS with JetStream; it reconnects for ever. Disposal drains: what was published
 * is flushed.
 */
export type Nats = AsyncDisposable & {
  readonly nc: NatsConnection;
  readonly js: JetStreamClient;
  readonly jsm: JetStreamManager;
  readonly logger: Logger;
  /** Why nothing can be published now, or undefined. */
  fault(): string | undefined;
  /** Set while a reconnect fails because the server refuses the credentials; it is retried. */
  authError(): Error | undefined;
  /**
   * Calls `listener` after each reconnect, until disposal or until the function that is returned is
   * called.
   */
  onReconnect(listener: () => void): () => void;
};

const DRAIN_MS = 4_000;

/** Keeps track of the connection's state until it is closed. */
function follow(nc: NatsConnection, logger: Logger) {
  const state: { connected: boolean; authError?: Error } = { connected: true };
  const listeners = new Set<() => void>();
  const callListeners = () => {
    for (const listener of listeners) {
      try {
        listener();
      } catch (err) {
        logger.error({ err }, "reconnect listener failed");
      }
    }
  };
  const watchStatus = async () => {
    for await (const status of nc.status()) {
      if (status.type === "disconnect") {
        state.connected = false;
        logger.warn({ server: nc.getServer() }, "nats disconnected");
      } else if (status.type === "reconnect") {
        state.connected = true;
        delete state.authError;
        logger.info({ server: nc.getServer() }, "nats reconnected");
        callListeners();
      } else if (status.type === "error") {
        if (status.error instanceof AuthorizationError) state.authError = status.error;
        logger.error({ err: status.error }, "nats error");
      }
    }
  };
  watchStatus().catch((err: unknown) => logger.error({ err }, "nats status ended"));
  nc.closed().then((err) => {
    state.connected = false;
    if (err instanceof Error) logger.error({ err }, "nats connection closed");
  });
  return { state, listeners };
}

/** Flushes what was published, but does not wait for a server that does not answer. */
async function close(nc: NatsConnection, connected: boolean): Promise<void> {
  if (nc.isClosed()) return;
  const timer = setTimeout(() => void nc.close(), DRAIN_MS);
  const ending = connected ? nc.drain() : nc.close();
  // A drain that was cut by the connection's end does not always settle.
  await Promise.race([ending.catch(() => nc.close()), nc.closed()]);
  clearTimeout(timer);
}

/**
 * Connects, waiting until a server answers or `signal` fires (throws its reason). Throws
 * {@link ConfigError} where the server refuses the credentials. Reconnects are tried every 250 ms
 * or so: the changes that wait meanwhile are somebody's certificates.
 */
export async function connectNats(options: NatsOptions, signal?: AbortSignal): Promise<Nats> {
  const { logger } = options;
  const nc = await dialUntil(options, signal);
  const { state, listeners } = follow(nc, logger);
  const timeout = options.timeoutMs ?? TIMEOUT_MS;
  return {
    nc,
    js: jetstream(nc, { timeout, checkAPI: false }),
    jsm: await jetstreamManager(nc, { timeout, checkAPI: false }),
    logger,
    fault: () => (state.connected && !nc.isClosed() ? undefined : "not connected"),
    authError: () => state.authError,
    onReconnect(listener) {
      // Its own function, so that one given twice is called twice and taken away alone.
      const own = () => listener();
      listeners.add(own);
      return () => listeners.delete(own);
    },
    [Symbol.asyncDispose]: () => close(nc, state.connected),
  };
}
