import { ConfigError, TerminalError, isAborted, toError } from "@rollcast/shared/errors";
import { parseRetryAfter } from "@rollcast/shared/retry-after";
import { mask } from "@rollcast/runtime/logger";
import { AddressRefusedError } from "./guarded-fetch.ts";
import type { Answer } from "./guarded-fetch.ts";

/**
 * The result of one attempt to send. `reason` comes from a bounded set of machine-readable words;
 * `message` is for people and holds no secret.
 */
export type SendResult =
  | { readonly kind: "sent" }
  /** The receiver asks for a pause; this does not count as an attempt. */
  | { readonly kind: "later"; readonly delayMs: number; readonly reason: string }
  /** Another attempt may succeed. */
  | { readonly kind: "failed"; readonly reason: string; readonly message: string }
  /** No further attempt can succeed: the notification becomes a dead letter. */
  | { readonly kind: "refused"; readonly reason: string; readonly message: string };

/**
 * Removes secrets that a receiver or proxy echoed in its response. Must run before the response is
 * classified: the message quotes only the beginning of the body, where a secret that was cut in
 * half would no longer be recognised.
 */
export function redactSecrets(answer: Answer, secrets: readonly string[]): Answer {
  let { body } = answer;
  for (const secret of secrets.toSorted((a, b) => b.length - a.length)) {
    if (secret.length > 3) body = body.replaceAll(secret, "***");
  }
  return { ...answer, body };
}

/** What a receiver asks for is kept between these. */
const MIN_WAIT_MS = 1_000;
const MAX_WAIT_MS = 3_600_000;

const PERMANENT: Readonly<Record<number, string>> = {
  400: "BadRequest",
  401: "Unauthorized",
  403: "Forbidden",
  404: "NotFound",
  410: "Gone",
  413: "TooLarge",
};

/** 408 Request Timeout, 425 Too Early, 429 Too Many Requests. */
const TRANSIENT = new Set([408, 425, 429]);
const ASKS_TO_WAIT = new Set([429, 503]);
const EXCERPT = 200;

function excerpt(body: string): string {
  const text = mask(body).replaceAll(/\s+/g, " ").trim();
  return text === "" ? "" : `: ${text.slice(0, EXCERPT).toWellFormed()}`;
}

/** Classifies an HTTP response. `now` in milliseconds since the epoch. */
export function classifyAnswer(answer: Answer, now: number): SendResult {
  const { status, body } = answer;
  if (status >= 200 && status < 300) return { kind: "sent" };
  const message = `the receiver answered ${status}${excerpt(body)}`;
  if (ASKS_TO_WAIT.has(status)) {
    const requestedMs = parseRetryAfter(answer.retryAfter, now);
    if (requestedMs !== undefined) {
      const delayMs = Math.min(Math.max(requestedMs, MIN_WAIT_MS), MAX_WAIT_MS);
      return { kind: "later", delayMs, reason: status === 429 ? "Throttled" : "Unavailable" };
    }
  }
  if (status >= 500 || TRANSIENT.has(status)) {
    return { kind: "failed", reason: `Http${status}`, message };
  }
  if (status < 400) {
    return {
      kind: "refused",
      reason: "Redirect",
      message: `${message}; redirects are not followed`,
    };
  }
  return { kind: "refused", reason: PERMANENT[status] ?? "Rejected", message };
}

/**
 * What OpenSSL says of a chain of certificates that ends at none that is trusted:
 * https://docs.openssl.org/3.5/man1/openssl-verification-options/#diagnostics.
 */
const NOT_TRUSTED = new Set([
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "CERT_UNTRUSTED",
]);

function causeOf<T>(err: Error, type: new (...args: never[]) => T): T | undefined {
  for (let at: unknown = err, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth++) {
    if (at instanceof type) return at;
  }
  return undefined;
}

/**
 * Classifies a failed request: a refused address, or a certificate that nobody trusts, is final;
 * any other network error may pass.
 */
export function classifyError(thrown: unknown): SendResult {
  const err = toError(thrown);
  const refused = causeOf(err, AddressRefusedError);
  if (refused !== undefined) {
    return { kind: "refused", reason: "AddressRefused", message: refused.message };
  }
  if (isAborted(err)) {
    return { kind: "failed", reason: "Timeout", message: "no complete answer in time" };
  }
  // A secret may be missing for a moment, e.g. while its file is replaced.
  if (err instanceof ConfigError) {
    return { kind: "failed", reason: "Configuration", message: err.message.slice(0, EXCERPT) };
  }
  // A record that a newer version wrote may block this one for a while.
  if (err instanceof TerminalError) {
    return { kind: "failed", reason: err.reason, message: err.message.slice(0, EXCERPT) };
  }
  const code = "code" in err && typeof err.code === "string" ? ` (${err.code})` : "";
  if ("code" in err && NOT_TRUSTED.has(String(err.code))) {
    const why = `the receiver's certificate is not trusted${code}: name its CA in caFrom`;
    return { kind: "refused", reason: "CertificateNotTrusted", message: why };
  }
  const message = `${mask(err.message).slice(0, EXCERPT)}${code}`;
  return { kind: "failed", reason: "Network", message };
}
