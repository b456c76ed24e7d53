/** For what a probe asks of a server: sooner than the probe gives up. */
export const ANSWER_MS = 3_000;

/** What `work` gives; throws where it takes longer than `ms` milliseconds, and lets it run on. */
export async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error("no answer in time")), ms);
  // Nobody waits for it any more.
  work.catch(() => undefined);
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
