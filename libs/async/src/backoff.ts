/** The shape of a backoff: first and largest delay in milliseconds, growth per attempt. */
export type Backoff = { readonly initial: number; readonly max: number; readonly factor?: number };

/**
 * Milliseconds to wait before attempt number `attempt` (1 = the first repeat): exponential, capped,
 * with full jitter in the upper half (half to all of the computed delay), so that replicas that
 * failed together do not come back together. `random` gives numbers in [0, 1).
 */
export function backoffDelay(
  backoff: Backoff,
  attempt: number,
  random: () => number = Math.random,
): number {
  const grown = backoff.initial * (backoff.factor ?? 2) ** Math.min(Math.max(attempt, 1) - 1, 60);
  const capped = Math.min(grown, backoff.max);
  return Math.round(capped / 2 + (random() * capped) / 2);
}
