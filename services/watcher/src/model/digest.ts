import { createHmac, createSecretKey } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { WHOLE_OBJECT } from "@rollcast/shared/records";
import type { ObjectRef } from "@rollcast/shared/subjects";

/** The installation key, with the id that every digest made under it carries. */
export type InstallationKey = { readonly id: string; readonly secret: KeyObject };

/**
 * How a key's bytes reach the pods: text keys also as environment variables, binary ones only as
 * files.
 */
export type DataForm = "text" | "binary";

const DIGEST_BYTES = 16;
const KEY_ID_BYTES = 8;
/** A shorter key could be guessed together with a short value. */
export const MIN_KEY_BYTES = 32;

export function installationKey(bytes: Buffer): InstallationKey {
  // A KeyObject is prepared once; preparing raw bytes costs several times the HMAC itself.
  const secret = createSecretKey(bytes);
  const id = createHmac("sha256", secret).update("rollcast key id").digest();
  return { id: id.toString("hex", 0, KEY_ID_BYTES), secret };
}

/**
 * Digest of one key's bytes: the first 128 bits of an HMAC-SHA-256 under the installation key, in
 * hex. It covers kind, namespace, name and key, so that equal values in two places have different
 * digests. The value is preceded by JSON, which is self-delimiting, so no two inputs yield the same
 * bytes.
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

/**
 * How many bytes of JSON the digests of a record may take: by default NATS allows 1 MiB per
 * message, and the rest of the record needs room too.
 */
const MAX_DIGESTS_BYTES = 700_000;
const JSON_OVERHEAD = 6;

/**
 * The digests as the record stores them: one per key, or one over all if they do not fit. The order
 * of keys does not matter.
 */
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
