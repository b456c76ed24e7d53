import { backoffDelay } from "@rollcast/async/backoff";
import type { Backoff } from "@rollcast/async/backoff";
import { KubeError } from "./kube-error.ts";

/**
 * How a reflector goes on: after `delayMs` milliseconds, by a new list or by resuming its watch.
 */
export type Recovery = { readonly delayMs: number; readonly relist: boolean };

/** Failures in a row after which a watch is not resumed but listed anew. */
const RELIST_AFTER = 3;

/** The server no longer has the history since the version asked for. */
function isExpired(err: KubeError): boolean {
  return err.status === 410 || err.reason === "Expired" || err.reason === "Gone";
}

/**
 * What to do after a failure, `failures` being how many came in a row (1: the first). An expired
 * version is listed anew at once, other failures back off with jitter, never sooner than the
 * server's `Retry-After`. A watch that went silent is resumed once, then listed anew.
 */
export function recover(
  err: unknown,
  failures: number,
  backoff: Backoff,
  random: () => number = Math.random,
): Recovery {
  const waited = backoffDelay(backoff, failures, random);
  if (!(err instanceof KubeError)) return { delayMs: waited, relist: true };
  if (isExpired(err)) return { delayMs: failures === 1 ? 0 : waited, relist: true };
  const relist = failures >= RELIST_AFTER || (err.reason === "Silent" && failures > 1);
  if (err.reason === "Silent" && failures === 1) return { delayMs: 0, relist };
  return { delayMs: Math.max(waited, err.retryAfterMs ?? 0), relist };
}

/**
 * A failure in one line, for a health check: `429 TooManyRequests`, `ECONNREFUSED`, or which file
 * of the credentials cannot be read.
 */
export function faultOf(err: unknown): string {
  if (err instanceof KubeError) {
    if (err.reason === "Credentials") return err.message;
    return err.status === 0 ? err.reason : `${err.status} ${err.reason}`;
  }
  return err instanceof Error ? err.name : "unknown error";
}
