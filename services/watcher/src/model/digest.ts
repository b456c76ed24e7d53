import { createHmac, createSecretKey } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { WHOLE_OBJECT } from "@rollcast/shared/records";
import type { ObjectRef } from "@rollcast/shared/subjects";

/** The installation key, with the id that every digest made under it carries. */
export type InstallationKey = { readonly id: string; readonly secret: KeyObject };

/** How a key's bytes reach the pods: text keys also as environment variables, binary ones only as files. */
export type DataForm = "text" | "binary";

const DIGEST_BYTES = 16;
const KEY_ID_BYTES = 8;
/** Shorter ones could be guessed together with a short value. */
export const MIN_KEY_BYTES = 32;

export function installationKey(bytes: Buffer): InstallationKey {
  // As a key object it is prepared once: with bytes, that costs several times the HMAC itself.
  const secret = createSecretKey(bytes);
  const id = createHmac("sha256", secret).update("rollcast key id").digest();
  return { id: id.toString("hex", 0, KEY_ID_BYTES), secret };
}

/**
 * Digest of one key's bytes: HMAC-SHA-256 under the installation key, the first 128 bits, hex. Kind, namespace, name and key are part of it, so that equal
 * values in two places do not show as equal. What precedes the value is JSON, which ends where it says, so no two inputs are joined to the same bytes.
 */
export function digestValue(
  key: InstallationKey,
  ref: ObjectRef,
  dataKey: string,
  form: DataForm,
  value: Uint8Array,
): string {
  const place = JSON.stringify([ref.kind, ref.namespace, ref.name, dataKey, form]);
  const digest = createHmac("sha256", key.secret).update(place).update(value).digest();
  return digest.toString("hex", 0, DIGEST_BYTES);
}

/** Bytes that the digests of a record may take in JSON: NATS takes 1 MiB a message by default, and the rest of the record needs some. */
const MAX_DIGESTS_BYTES = 700_000;
const JSON_OVERHEAD = 6;

/** The digests as the record keeps them: by key, or one over all where they would not fit. The order of keys does not matter. */
export function boundDigests(
  key: InstallationKey,
  digests: ReadonlyMap<string, string>,
): Record<string, string> {
  const sorted = [...digests].sort(([a], [b]) => (a < b ? -1 : 1));
  let size = 0;
  for (const [name, digest] of sorted) size += name.length + digest.length + JSON_OVERHEAD;
  if (size <= MAX_DIGESTS_BYTES) return Object.fromEntries(sorted);
  const whole = createHmac("sha256", key.secret).update(JSON.stringify(sorted)).digest();
  return { [WHOLE_OBJECT]: whole.toString("hex", 0, DIGEST_BYTES) };
}
