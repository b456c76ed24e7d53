/** How long a probe waits for a server: less than the timeout of the probe itself. */
export const ANSWER_MS = 3_000;

/** Resolves like `work`, or rejects after `ms` milliseconds. Does not cancel the work. */
export async function withDeadline<T>(
  ms: number,
  work: Promise<T>,
  error = () => new Error("no answer in time"),
): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(error()), ms);
  // After the deadline nobody handles its rejection.
  work.catch(() => undefined);
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
