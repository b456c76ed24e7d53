import { mask } from "@rollcast/runtime/logger";

const MAX_MESSAGE = 1_024;
/** Any webhook may set it: one of days must not hold a workload back for so long. */
const MAX_RETRY_AFTER_MS = 120_000;

/**
 * A request that the API server refused, or that got no answer. `status` is the HTTP status, 0
 * where there was no answer (network, TLS, time-out). `reason` and the message are those of the
 * Kubernetes `Status`; without an answer `reason` is the error's code (`ECONNREFUSED`, `Timeout`).
 * `retryAfterMs` is the server's `Retry-After` in milliseconds, two minutes at most; undefined
 * where it has none, or one that is no length of time. `about` is the kind that the `Status` names
 * in its details, which may be another than that of the request.
 */
export class KubeError extends Error {
  override name = "KubeError";
  readonly status: number;
  readonly reason: string;
  readonly retryAfterMs?: number;
  readonly about?: string;

  constructor(
    status: number,
    reason: string,
    message: string,
    options: ErrorOptions & { retryAfterMs?: number; about?: string } = {},
  ) {
    super(mask(message).slice(0, MAX_MESSAGE), options);
    this.status = status;
    this.reason = reason;
    const { about, retryAfterMs = -1 } = options;
    if (about !== undefined) this.about = about;
    if (retryAfterMs >= 0) this.retryAfterMs = Math.min(retryAfterMs, MAX_RETRY_AFTER_MS);
  }
}

/**
 * Whether the answer says nothing of what was to be written: there was none, it is not the API
 * server's (a redirect), or it asks to come again.
 */
export function isTransient({ status }: KubeError): boolean {
  return status < 400 || status === 408 || status === 429 || status >= 500;
}

function isErrorStatus(code: unknown): code is number {
  return typeof code === "number" && Number.isInteger(code) && code >= 400 && code <= 599;
}

type Status = { reason?: unknown; message?: unknown; code?: unknown; details?: unknown };

/**
 * The error in a Kubernetes `Status` object, also the one of a watch's ERROR event. `fallback` is
 * the HTTP status.
 */
export function fromStatus(status: unknown, fallback: number, retryAfterMs?: number): KubeError {
  const { reason, message, code, details }: Status =
    typeof status === "object" && status !== null ? status : {};
  const { kind, retryAfterSeconds: seconds }: { kind?: unknown; retryAfterSeconds?: unknown } =
    typeof details === "object" && details !== null ? details : {};
  const fromDetails = typeof seconds === "number" ? seconds * 1_000 : undefined;
  const number = isErrorStatus(code) ? code : fallback;
  return new KubeError(
    number,
    typeof reason === "string" && reason !== "" ? reason.slice(0, 128) : `Http${number}`,
    typeof message === "string" && message !== "" ? message : `the API server answered ${number}`,
    {
      retryAfterMs: retryAfterMs ?? fromDetails,
      about: typeof kind === "string" ? kind.slice(0, 128) : undefined,
    },
  );
}
