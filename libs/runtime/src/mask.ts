import { ConfigError } from "@rollcast/shared/errors";

/**
 * Keys whose values are never shown, whatever is in them; compared without regard to case and
 * separators.
 */
export const SECRET_KEYS = [
  "apikey",
  "authorization",
  "cookie",
  "credentials",
  "data",
  "password",
  "secret",
  "setcookie",
  "stringdata",
  "token",
  "url",
] as const;
const SECRET = new Set<string>(SECRET_KEYS);
const HIDDEN = "***";
const MAX_DEPTH = 8;

// Everything is bounded, so that no text takes more than linear time.
const CREDENTIALS_IN_URL = /\b([a-z][a-z0-9+.-]{0,30}:\/\/)[^\s/?#"]{0,2048}@/gi;
const URL_WITH_REST = /\b(https?:\/\/[^\s/?#"\\]{1,2048})([/?#][^\s"\\]*)/gi;
const SCHEME_WITH_SECRET = /\b(bearer|basic)\s+[\w.~+/=-]+/gi;
/** Slack's tokens, and the secrets of Standard Webhooks. */
const KNOWN_TOKEN = /\b(xox[a-z]|xapp|whsec)([-_])[\w+/=-]+/g;
/** Paths of the Kubernetes API, which hold names only and are what its errors are about. */
const KUBERNETES_PATH =
  /^\/(?:(?:api|apis\/[\w.-]{1,100})\/v\d\w{0,20}(?:\/|$)|(?:version|livez|readyz|healthz|metrics)$)/;
const TRAILING = new Set(",.;:!)]}>'");

/**
 * What follows the host of a URL, without what may be a credential: the path of a chat's webhook is
 * one, and any query.
 */
function maskRest(rest: string): string {
  let end = rest.length;
  while (end > 0 && TRAILING.has(rest.charAt(end - 1))) end--;
  const trimmed = rest.slice(0, end);
  const [path = ""] = trimmed.split(/[?#]/, 1);
  const query = trimmed.length > path.length ? `?${HIDDEN}` : "";
  if (path === "" || path === "/") return `${path}${query}${rest.slice(end)}`;
  const shown = KUBERNETES_PATH.test(path) ? `${path}${query}` : `/${HIDDEN}`;
  return `${shown}${rest.slice(end)}`;
}

/**
 * `text` without what must not be shown: credentials in URLs, and after their host everything but
 * paths of the Kubernetes API (the path of a chat's webhook is its secret); bearer tokens and basic
 * credentials; tokens of Slack and secrets of Standard Webhooks.
 */
export function mask(text: string): string {
  return text
    .replace(CREDENTIALS_IN_URL, `$1${HIDDEN}@`)
    .replace(URL_WITH_REST, (_, host: string, rest: string) => `${host}${maskRest(rest)}`)
    .replace(SCHEME_WITH_SECRET, `$1 ${HIDDEN}`)
    .replace(KNOWN_TOKEN, `$1$2${HIDDEN}`);
}

function isSecretKey(key: string): boolean {
  return SECRET.has(key.toLowerCase().replaceAll(/[-_]/g, ""));
}

/**
 * An error as plain data, with its causes and what it bundles; masked. A fault of the configuration
 * is none of the code: no stack, neither its own nor its cause's.
 */
function plainError(err: Error, depth: number, stacks: boolean): Record<string, unknown> {
  const plain: Record<string, unknown> = { type: err.name, message: mask(err.message) };
  const isCode = stacks && !(err instanceof ConfigError);
  if (isCode && err.stack !== undefined) plain.stack = mask(err.stack);
  for (const key of ["code", "reason", "cause", "error", "suppressed", "errors"] as const) {
    const value: unknown = Reflect.get(err, key);
    if (value !== undefined) plain[key] = hideSecrets(value, depth + 1, isCode);
  }
  return plain;
}

/**
 * A copy of `value` in which the values of secret keys are hidden and every text is masked, at any
 * depth; errors become plain data.
 */
export function hideSecrets(value: unknown, depth = 0, stacks = true): unknown {
  if (typeof value === "string") return mask(value);
  if (typeof value !== "object" || value === null) return value;
  if (depth > MAX_DEPTH) return "[deep]";
  if (value instanceof Error) return plainError(value, depth, stacks);
  if (Array.isArray(value)) return value.map((item) => hideSecrets(item, depth + 1));
  if ("toJSON" in value) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key,
      item !== undefined && isSecretKey(key) ? HIDDEN : hideSecrets(item, depth + 1),
    ]),
  );
}
