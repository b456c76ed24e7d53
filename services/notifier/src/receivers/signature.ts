import { createHmac } from "node:crypto";
import { ConfigError } from "@rollcast/shared/errors";

const PREFIX = "whsec_";
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;
const MIN_BYTES = 24;
const MAX_BYTES = 64;

/**
 * The key in a signing secret: `whsec_` followed by the base64 of 24 to 64 bytes. Throws {@link
 * ConfigError} for anything else; the error never contains the secret. Format:
 * https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */
export function signingKey(secret: string): Buffer {
  const encoded = secret.startsWith(PREFIX) ? secret.slice(PREFIX.length) : "";
  if (!BASE64.test(encoded)) {
    throw new ConfigError(`a signing secret must be ${PREFIX} followed by base64`);
  }
  const key = Buffer.from(encoded, "base64");
  if (key.length < MIN_BYTES || key.length > MAX_BYTES) {
    throw new ConfigError(
      `a signing secret must hold ${MIN_BYTES} to ${MAX_BYTES} bytes, this one holds ${key.length}`,
    );
  }
  return key;
}

export type Signed = {
  /** The same for all attempts of a notification. */
  readonly id: string;
  /** Time of this attempt; seconds since the epoch. */
  readonly timestamp: number;
  readonly body: string;
};

/**
 * The headers of Standard Webhooks, with one signature per key, so that during a rotation a
 * receiver may verify with the old or the new one.
 */
export function signatureHeaders(
  { id, timestamp, body }: Signed,
  keys: readonly Buffer[],
): Record<string, string> {
  const signatures = keys.map(
    (key) =>
      `v1,${createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64")}`,
  );
  return {
    "webhook-id": id,
    "webhook-timestamp": String(timestamp),
    ...(signatures.length === 0 ? {} : { "webhook-signature": signatures.join(" ") }),
  };
}
