import { createHash, createHmac } from "node:crypto";

const DIGEST = 32;
const KEY_ID = 16;

/** A source as the API server answers it. */
export type SourceObject = {
  readonly metadata: { readonly namespace?: string; readonly name: string };
  readonly data?: Readonly<Record<string, string>>;
};

function hmac(key: Buffer, ...parts: readonly (string | Buffer)[]): string {
  const digest = createHmac("sha256", key);
  for (const part of parts) digest.update(part);
  return digest.digest("hex");
}

/**
 * The digest of all keys of a source, as markers have it. Written anew from what is documented, so
 * that a marker is compared with the content itself.
 */
export function contentDigest(key: Buffer, kind: string, { metadata, data }: SourceObject): string {
  const pairs = Object.entries(data ?? {})
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => {
      const place = JSON.stringify([kind, metadata.namespace ?? "", metadata.name, name, "text"]);
      const bytes = Buffer.from(value, kind === "Secret" ? "base64" : "utf8");
      return [name, hmac(key, place, bytes).slice(0, DIGEST)];
    });
  const id = hmac(key, "rollcast key id").slice(0, KEY_ID);
  const hash = createHash("sha256").update(JSON.stringify(pairs)).digest("hex");
  return `${id}.${hash.slice(0, DIGEST)}`;
}
