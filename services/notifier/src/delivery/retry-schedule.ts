const S = 1_000;
const M = 60 * S;
const H = 60 * M;

/** Milliseconds between a failed attempt and the next one. */
export const RETRY_DELAYS = [5 * S, 30 * S, 2 * M, 5 * M, 15 * M, 30 * M, H, 2 * H, 4 * H, 8 * H];
/** An older notification is no longer useful; milliseconds. */
export const MAX_AGE_MS = 24 * H;
const JITTER = 0.1;

/**
 * Milliseconds to wait after `attempts` failed attempts (1: the first), with 10 % jitter so that
 * notifications that failed together are not retried together; undefined when no attempt is left.
 * `random` returns numbers in [0, 1).
 */
export function retryDelay(
  attempts: number,
  random: () => number = Math.random,
): number | undefined {
  const delay = RETRY_DELAYS[attempts - 1];
  return delay === undefined ? undefined : Math.round(delay * (1 - JITTER + random() * 2 * JITTER));
}
