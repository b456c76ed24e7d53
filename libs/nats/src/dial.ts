import { AuthorizationError, connect } from "@nats-io/transport-node";
import { retry } from "@rollcast/async/retry";
import { ConfigError } from "@rollcast/shared/errors";
import { openIdentity } from "./identity.ts";
import { parseServers } from "./servers.ts";
import type { NatsOptions } from "./connect.ts";

export const TIMEOUT_MS = 5_000;

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

export function dialUntil(options: NatsOptions, signal: AbortSignal | undefined) {
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
