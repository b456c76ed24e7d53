const SECONDS = /^\d+$/;
// The three date formats of HTTP (RFC 9110, 5.6.7). Date would also accept "5.5" or "-3", which are
// no dates here.
const HTTP_DATE = /^(?:[A-Z][a-z]{2},|[A-Z][a-z]{5,8},|[A-Z][a-z]{2}) [A-Za-z0-9: -]+$/;
/** No date is longer. */
const MAX_DATE = 64;

/**
 * Milliseconds of a `Retry-After` header as it stands there: seconds or a date (RFC 9110, 10.2.3);
 * undefined where it says neither. Not bounded: who waits says how long at most. `now` in
 * milliseconds since the epoch.
 */
export function parseRetryAfter(header: unknown, now: number): number | undefined {
  if (typeof header !== "string") return undefined;
  const text = header.trim();
  if (SECONDS.test(text)) return Number(text) * 1_000;
  if (text.length > MAX_DATE || !HTTP_DATE.test(text)) return undefined;
  const date = Date.parse(text.endsWith("GMT") ? text : `${text} GMT`);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
