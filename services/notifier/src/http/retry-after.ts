const MIN_MS = 1_000;
const MAX_MS = 3_600_000;
const SECONDS = /^\d+$/;
// The three date formats of HTTP (RFC 9110, 5.6.7). Date would also accept "5.5" or "-3", which are
// no dates here.
const HTTP_DATE = /^(?:[A-Z][a-z]{2},|[A-Z][a-z]{5,8},|[A-Z][a-z]{2}) [A-Za-z0-9: -]+$/;

/**
 * Milliseconds to wait according to a `Retry-After` header: seconds or a date (RFC 9110, 10.2.3),
 * clamped to between one second and one hour. Undefined when the header is missing or invalid.
 * `now` in milliseconds since the epoch.
 */
export function retryAfter(header: string | undefined, now: number): number | undefined {
  const text = header?.trim() ?? "";
  if (text.length > 64) return SECONDS.test(text) ? MAX_MS : undefined;
  let ms: number;
  if (SECONDS.test(text)) ms = Number(text) * 1_000;
  else if (HTTP_DATE.test(text)) ms = Date.parse(text.endsWith("GMT") ? text : `${text} GMT`) - now;
  else return undefined;
  if (Number.isNaN(ms)) return undefined;
  return Math.min(Math.max(ms, MIN_MS), MAX_MS);
}
