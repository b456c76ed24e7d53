import { pino } from "pino";
import type { DestinationStream, Logger as PinoLogger } from "pino";
import { logFields } from "./trace.ts";
import { SECRET_KEYS, hideSecrets, mask } from "./mask.ts";

export { mask } from "./mask.ts";

/**
 * Messages are constant sentences; what varies is data:
 * `log.info({ workload }, "rollout started")`.
 */
export type Logger = PinoLogger;
export type LogLevel = "trace" | "debug" | "info" | "warn" | "error" | "fatal" | "silent";

const STDOUT = 1;

/**
 * A logger that writes JSON lines to stdout (or `destination`), with `service` on each. Errors
 * belong under `err`. Values under keys that name secrets are hidden at any depth, and URLs and
 * tokens are masked wherever they are.
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
    formatters: {
      level: (label: string) => ({ level: label }),
      log: (data: object) => hideSecrets(data) as Record<string, unknown>,
    },
    // `log` above has made plain data of it already.
    serializers: { err: (err: unknown) => (err instanceof Error ? hideSecrets(err) : err) },
    mixin: logFields,
    // What a child logger is bound to, and a message, pass by these two only.
    redact: { paths: SECRET_KEYS.flatMap((key) => [key, `*.${key}`]), censor: "***" },
    hooks: { streamWrite: mask },
  };
  // Each line at once, by the thread that logs it: a fatal line would overtake one that still waits
  // for a thread, and the end of the process would lose that one.
  return pino(options, destination ?? pino.destination({ dest: STDOUT, sync: true }));
}
