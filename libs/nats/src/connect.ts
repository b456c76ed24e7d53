import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import type { JetStreamClient, JetStreamManager } from "@nats-io/jetstream";
import { AuthorizationError, connect } from "@nats-io/transport-node";
import type { NatsConnection } from "@nats-io/transport-node";
import type { Logger } from "@rollcast/runtime/logger";
import { retry } from "@rollcast/async/retry";
import { ConfigError } from "@rollcast/shared/errors";
import { openIdentity } from "./identity.ts";
import type { NatsIdentity } from "./identity.ts";

type NatsOptions = NatsIdentity & {
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

const TIMEOUT_MS = 5_000;

/**
 * One attempt of each server. Where `signal` fires first, a connection that comes about later is
 * closed again.
 */
async function dial(options: NatsOptions, signal: AbortSignal | undefined) {
  const { tls, ...where } = parseServers(options.url);
  const connecting = connect({
    ...where,
    ...openIdentity(options, tls),
    name: `rollcast-${options.name}`,
    inboxPrefix: `_INBOX_${options.name}`,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
    reconnectJitter: 250,
    // Credentials that are refused for a while, e.g. while they are rotated, must not end a
    // connection for good.
    ignoreAuthErrorAbort: true,
    pingInterval: 10_000,
    maxPingOut: 2,
    timeout: options.timeoutMs ?? TIMEOUT_MS,
    noAsyncTraces: true,
  });
  if (signal === undefined) return connecting;
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => aborted.reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([connecting, aborted.promise]);
  } catch (err) {
    if (signal.aborted) connecting.then((late) => late.close()).catch(() => undefined);
    throw err;
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

function dialUntil(options: NatsOptions, signal: AbortSignal | undefined) {
  return retry(() => dial(options, signal), {
    backoff: { initial: 250, max: 2_000 },
    signal,
    onFailure(err, attempt) {
      if (err instanceof ConfigError) throw err;
      if (err instanceof AuthorizationError) {
        throw new ConfigError("NATS refuses the credentials", { cause: err });
      }
      options.logger.warn({ err, attempt }, "nats not reachable, retrying");
    },
  });
}

/** Where to connect to and as whom. `tls`: nothing is said before the connection is encrypted. */
type NatsServers = {
  readonly servers: string[];
  readonly tls: boolean;
  readonly user?: string;
  readonly pass?: string;
  readonly token?: string;
};

const SERVER = /^(?:(nats|tls):\/\/)?(?:([^@/\s]*)@)?([^@/\s]+)\/?$/;

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new ConfigError("the credentials in the URL of NATS are not percent-encoded");
  }
}

function credentials(userinfo: string): Pick<NatsServers, "user" | "pass" | "token"> {
  const colon = userinfo.indexOf(":");
  if (colon < 0) return { token: decode(userinfo) };
  return { user: decode(userinfo.slice(0, colon)), pass: decode(userinfo.slice(colon + 1)) };
}

/**
 * The servers in `url`: `nats://host:4222` or `tls://host:4222`, several separated by commas, with
 * `user:password@` or `token@` before the host (the same for all, percent-encoded). With one `tls`
 * all are. Throws {@link ConfigError}, which does not quote the URL.
 */
export function parseServers(url: string): NatsServers {
  const servers: string[] = [];
  const userinfos = new Set<string>();
  let tls = false;
  for (const part of url.split(",")) {
    const [, scheme, userinfo, host] = SERVER.exec(part.trim()) ?? [];
    if (host === undefined) throw new ConfigError("a URL of NATS must be like nats://host:4222");
    servers.push(host);
    tls ||= scheme === "tls";
    if (userinfo !== undefined && userinfo !== "") userinfos.add(userinfo);
  }
  const [userinfo, ...others] = userinfos;
  if (others.length > 0) {
    throw new ConfigError("the URLs of NATS have different credentials: they must be the same");
  }
  return { servers, tls, ...(userinfo === undefined ? {} : credentials(userinfo)) };
}
