import { retry } from "@rollcast/async/retry";
import { ConfigError } from "@rollcast/shared/errors";
import type { Nats } from "./connect.ts";
import { violationOf } from "./nats-error.ts";
import { provision } from "./provision.ts";
import type { JetStreamResources } from "./provision.ts";

const AGAIN = { initial: 500, max: 5_000 };

function logAttempt({ logger }: Nats, err: unknown, attempt: number): void {
  const violation = violationOf(err);
  if (violation === undefined) logger.warn({ err, attempt }, "streams not reachable, retrying");
  else {
    const { operation, subject } = violation;
    const data = { operation, subject, attempt };
    logger.warn(data, "not provisioned, and this user may not do it: waiting");
  }
}

/**
 * Provisions until it is done, or `signal` fires (throws its reason), or an error comes that
 * `lasts`.
 */
function retryUntilDone(
  nats: Nats,
  once: () => Promise<void>,
  lasts: (err: unknown) => boolean,
  signal: AbortSignal,
): Promise<void> {
  return retry(once, {
    backoff: AGAIN,
    signal,
    onFailure(err, attempt) {
      if (err instanceof ConfigError || lasts(err)) throw err;
      logAttempt(nats, err, attempt);
    },
  });
}

/**
 * Makes everything, once JetStream serves: a cluster of NATS that has just been started takes
 * connections before it has a leader. Throws {@link ConfigError} as {@link provision} does, what
 * the server says where this user may not do it, and the reason of `signal` when it fires.
 */
export function provisionWhenReady(nats: Nats, replicas: number, signal: AbortSignal) {
  const lasts = (err: unknown) => violationOf(err) !== undefined;
  return retryUntilDone(nats, () => provision(nats, replicas), lasts, signal);
}

/**
 * Checks what a service works on, and makes it where its user may. Where it may not, waits until
 * the provision step has made it; where JetStream does not serve, until it does. Throws
 * {@link ConfigError} as {@link provision} does, and the reason of `signal` when it fires.
 */
export function waitProvisioned(
  nats: Nats,
  replicas: number,
  resources: JetStreamResources,
  signal: AbortSignal,
) {
  return retryUntilDone(
    nats,
    () => provision(nats, replicas, resources),
    () => false,
    signal,
  );
}
