import { pino } from "pino";
import type { DestinationStream, Logger as PinoLogger } from "pino";

/** Messages are constant sentences; what varies is data: `log.info({ workload }, "rollout started")`. */
export type Logger = PinoLogger;
export type LogLevel = "trace" | "debug" | "info" | "warn" | "error" | "fatal" | "silent";

const SECRET_KEYS = ["authorization", "token", "password", "secret", "url", "cookie", "data"];
const CREDENTIALS_IN_URL = /\b([a-z][a-z0-9+.-]*:\/\/)[^\s/@"']+@/gi;
const QUERY_IN_URL = /\b(https?:\/\/[^\s?"']+)\?[^\s"']*/gi;
const BEARER = /\b(bearer|basic)\s+[a-z0-9._~+/=-]+/gi;

/** `text` without what must not be told: credentials and query strings of URLs, bearer tokens. */
export function mask(text: string): string {
  return text
    .replace(CREDENTIALS_IN_URL, "$1***@")
    .replace(QUERY_IN_URL, "$1?***")
    .replace(BEARER, "$1 ***");
}

type PlainError = {
  type: string;
  message: string;
  stack?: string;
  code?: unknown;
  cause?: unknown;
};

function plainError(err: unknown, depth = 0): PlainError | string {
  if (!(err instanceof Error)) return mask(String(err));
  const plain: PlainError = { type: err.name, message: mask(err.message) };
  if (err.stack !== undefined) plain.stack = mask(err.stack);
  if ("code" in err) plain.code = err.code;
  if (err.cause !== undefined && depth < 4) plain.cause = plainError(err.cause, depth + 1);
  return plain;
}

/**
 * A logger that writes JSON lines to stdout (or `destination`), with `service` on each.
 * Errors belong under `err`. Keys that name secrets are redacted two levels deep; URLs in errors are masked.
 */
export function createLogger(
  service: string,
  level: LogLevel = "info",
  destination?: DestinationStream,
): Logger {
  const options = {
    level,
    base: { service },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    serializers: { err: (err: unknown) => plainError(err) },
    redact: {
      paths: SECRET_KEYS.flatMap((key) => [key, `*.${key}`, `*.*.${key}`]),
      censor: "***",
    },
  };
  return destination === undefined ? pino(options) : pino(options, destination);
}
