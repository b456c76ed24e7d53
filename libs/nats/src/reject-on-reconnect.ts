import type { Nats } from "./connect.ts";

/**
 * Result of `work`. Throws on a reconnect: requests from before it are never answered, and would
 * only time out. Does not cancel the work.
 */
export async function rejectOnReconnect<T>(nats: Nats, work: () => Promise<T>): Promise<T> {
  const lost = Promise.withResolvers<never>();
  const off = nats.onReconnect(() => lost.reject(new Error("the connection was lost")));
  try {
    return await Promise.race([work(), lost.promise]);
  } finally {
    off();
  }
}
