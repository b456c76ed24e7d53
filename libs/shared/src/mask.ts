/** Keys whose values are never told, whatever is in them; compared without regard to case and separators. */
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
const QUERY_IN_URL = /\b(https?:\/\/[^\s?#"\\]{0,2048})[?#][^\s"\\]*/gi;
// No Kubernetes name holds a capital letter.
const RANDOM_IN_PATH =
  /(?<=\bhttps?:\/\/[^\s"'\\]{0,256}\/)(?:(?=[\w-]{0,200}[A-Z])[\w-]{20,}|[0-9a-f]{32,})/g;
const SCHEME_WITH_SECRET = /\b(bearer|basic)\s+[\w.~+/=-]+/gi;

/**
 * `text` without what must not be told: credentials, query strings and fragments of URLs, long random-looking parts of their paths (the secret of a chat's
 * webhook is there), bearer tokens and basic credentials.
 */
export function mask(text: string): string {
  return text
    .replace(CREDENTIALS_IN_URL, `$1${HIDDEN}@`)
    .replace(QUERY_IN_URL, `$1?${HIDDEN}`)
    .replace(RANDOM_IN_PATH, HIDDEN)
    .replace(SCHEME_WITH_SECRET, `$1 ${HIDDEN}`);
}

function isSecretKey(key: string): boolean {
  return SECRET.has(key.toLowerCase().replaceAll(/[-_]/g, ""));
}

/** An error as plain data, with its causes and what it bundles; masked. */
function plainError(err: Error, depth: number): Record<string, unknown> {
  const plain: Record<string, unknown> = { type: err.name, message: mask(err.message) };
  if (err.stack !== undefined) plain.stack = mask(err.stack);
  for (const key of ["code", "reason", "cause", "error", "suppressed", "errors"] as const) {
    const value: unknown = Reflect.get(err, key);
    if (value !== undefined) plain[key] = hideSecrets(value, depth + 1);
  }
  return plain;
}

/** A copy of `value` in which the values of secret keys are hidden and every text is masked, at any depth; errors become plain data. */
export function hideSecrets(value: unknown, depth = 0): unknown {
  if (typeof value === "string") return mask(value);
  if (typeof value !== "object" || value === null) return value;
  if (depth > MAX_DEPTH) return "[deep]";
  if (value instanceof Error) return plainError(value, depth);
  if (Array.isArray(value)) return value.map((item) => hideSecrets(item, depth + 1));
  if ("toJSON" in value) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key,
      item !== undefined && isSecretKey(key) ? HIDDEN : hideSecrets(item, depth + 1),
    ]),
  );
}
