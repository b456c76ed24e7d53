import { z } from "zod";

const UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};
const WHOLE = /^(?:\d+(?:\.\d+)?(?:ms|s|m|h))+$/;
const PART = /(\d+(?:\.\d+)?)(ms|s|m|h)/g;

/**
 * Milliseconds of a duration as Go writes it: numbers with a unit `ms`, `s`, `m` or `h`, joined
 * (`1h30m`, `1.5s`), or `0`. Returns undefined for anything else, also for a sign. Format:
 * https://pkg.go.dev/time#ParseDuration (without ns and us, which nothing here can honour).
 */
export function parseDuration(text: string): number | undefined {
  if (text === "0") return 0;
  if (text.length > 64 || !WHOLE.test(text)) return undefined;
  let total = 0;
  for (const [, amount, unit] of text.matchAll(PART)) {
    total += Number(amount) * (UNITS[unit ?? ""] ?? Number.NaN);
  }
  return Math.round(total);
}

/**
 * A duration for people, two units at most: `350ms`, `2.1s`, `1m30s`, `2h5m`. `ms` is in
 * milliseconds.
 */
export function formatDuration(ms: number): string {
  if (Math.round(ms) < 1_000) return `${Math.round(ms)}ms`;
  const tenths = Math.round(ms / 100);
  if (tenths < 600) return `${tenths / 10}s`;
  if (ms < 60_000) return "1m";
  const minutes = Math.floor(ms / 60_000);
  const seconds = Math.floor((ms % 60_000) / 1_000);
  if (minutes < 60) return seconds === 0 ? `${minutes}m` : `${minutes}m${seconds}s`;
  return minutes % 60 === 0
    ? `${Math.floor(minutes / 60)}h`
    : `${Math.floor(minutes / 60)}h${minutes % 60}m`;
}

/** A configuration value of milliseconds, written as a duration (`1s`, `5m`, `1h30m`). */
export function duration(limits: { min?: string; max?: string } = {}) {
  const min = limits.min === undefined ? 0 : (parseDuration(limits.min) ?? 0);
  const max = limits.max === undefined ? Number.MAX_SAFE_INTEGER : (parseDuration(limits.max) ?? 0);
  return z
    .string({ error: "must be a duration like 500ms, 1s, 5m or 1h30m" })
    .meta({
      title:
        limits.max === undefined ? "duration" : `duration, ${limits.min ?? "0s"} to ${limits.max}`,
    })
    .transform((text, ctx) => {
      const ms = parseDuration(text);
      if (ms === undefined) {
        ctx.addIssue({
          code: "custom",
          message: `"${text.slice(0, 64)}" is not a duration: write it like 500ms, 1s, 5m or 1h30m`,
        });
        return z.NEVER;
      }
      if (ms < min || ms > max) {
        const bounds = `${limits.min ?? "0"} to ${limits.max ?? "any"}`;
        ctx.addIssue({ code: "custom", message: `"${text}" is out of bounds: ${bounds}` });
        return z.NEVER;
      }
      return ms;
    });
}
