import { setTimeout as sleep } from "node:timers/promises";
import { PermissionViolationError } from "@nats-io/transport-node";
import { backoffDelay } from "../backoff.ts";
import type { Nats } from "./connect.ts";
import { provision } from "./provision.ts";
import type { Uses } from "./provision.ts";

const AGAIN = { initial: 500, max: 5_000 };

function refusalOf(err: unknown): PermissionViolationError | undefined {
  const cause = err instanceof Error ? (err.cause ?? err) : err;
  return cause instanceof PermissionViolationError ? cause : undefined;
}

/**
 * Checks what a service works on, and makes it where its user may. Where it may not, waits until the provision step has made it, or `signal` fires (throws its
 * reason). Throws {@link ConfigError} as {@link provision} does.
 */
export async function awaitProvisioned(
  nats: Nats,
  replicas: number,
  uses: Uses,
  signal: AbortSignal,
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    signal.throwIfAborted();
    try {
      await provision(nats, replicas, uses);
      return;
    } catch (err) {
      const refusal = refusalOf(err);
      if (refusal === undefined) throw err;
      const data = { operation: refusal.operation, subject: refusal.subject, attempt };
      nats.logger.warn(data, "not provisioned, and this user may not do it: waiting");
    }
    await sleep(backoffDelay(AGAIN, attempt), undefined, { signal });
  }
}
