import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import type { JetStreamClient, JetStreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import type { NatsConnection } from "@nats-io/transport-node";
import type { Logger } from "../logger.ts";

export type NatsOptions = {
  /** `nats://host:4222` or `tls://host:4222`; several separated by commas. */
  url: string;
  /** Name of this client in the server's monitoring: the service. */
  name: string;
  logger: Logger;
  /** Milliseconds a JetStream request may take; 5 s unless told. */
  timeoutMs?: number;
};

/** A connection to NATS with JetStream; it reconnects for ever. Disposal drains: what was published is flushed. */
export type Nats = AsyncDisposable & {
  readonly nc: NatsConnection;
  readonly js: JetStreamClient;
  readonly jsm: JetStreamManager;
  readonly logger: Logger;
  /** Why nothing can be published now, or undefined. */
  fault(): string | undefined;
  /** Calls `listener` after each reconnect, until disposal. */
  onReconnect(listener: () => void): void;
};

const DRAIN_MS = 5_000;

/**
 * Connects, waiting until a server answers or `signal` fires. Throws where the server refuses the credentials.
 * Reconnects are tried every 250 ms or so: the changes that wait meanwhile are somebody's certificates.
 */
export async function connectNats(options: NatsOptions, signal?: AbortSignal): Promise<Nats> {
  const { logger } = options;
  const nc = await connect({
    servers: options.url.split(","),
    name: `rollcast-${options.name}`,
    maxReconnectAttempts: -1,
    waitOnFirstConnect: true,
    reconnectTimeWait: 250,
    reconnectJitter: 250,
    pingInterval: 10_000,
    maxPingOut: 2,
    timeout: options.timeoutMs ?? 5_000,
    ignoreClusterUpdates: false,
    noAsyncTraces: true,
  });
  signal?.throwIfAborted();
  let connected = true;
  const listeners: (() => void)[] = [];
  const watchStatus = async () => {
    for await (const status of nc.status()) {
      if (status.type === "disconnect") {
        connected = false;
        logger.warn({ server: nc.getServer() }, "nats disconnected");
      } else if (status.type === "reconnect") {
        connected = true;
        logger.info({ server: nc.getServer() }, "nats reconnected");
        for (const listener of listeners) listener();
      }
    }
  };
  watchStatus().catch((err: unknown) => logger.error({ err }, "nats status ended"));
  nc.closed().then((err) => {
    connected = false;
    if (err instanceof Error) logger.error({ err }, "nats connection closed");
  });
  const timeout = options.timeoutMs ?? 5_000;
  return {
    nc,
    js: jetstream(nc, { timeout, checkAPI: false }),
    jsm: await jetstreamManager(nc, { timeout, checkAPI: false }),
    logger,
    fault: () => (connected && !nc.isClosed() ? undefined : "not connected"),
    onReconnect: (listener) => {
      listeners.push(listener);
    },
    async [Symbol.asyncDispose]() {
      if (nc.isClosed()) return;
      const drained = connected ? nc.drain() : nc.close();
      const timer = setTimeout(() => void nc.close(), DRAIN_MS);
      await drained.catch(() => nc.close());
      clearTimeout(timer);
    },
  };
}
