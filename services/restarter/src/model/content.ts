import { createHash } from "node:crypto";
import { z } from "zod";
import type { SourceKind } from "@rollcast/shared/events";
import { WHOLE_OBJECT } from "@rollcast/shared/records";
import type { SourceRecord } from "@rollcast/shared/records";
import type { Keys } from "./source-references.ts";

/** Identifies a source: `<kind>/<namespace>/<name>`. */
export type SourceKey = `${string}/${string}/${string}`;

/** The keys of a source that a workload uses, and their combined digest. */
export const Content = z.object({
  keys: z.union([z.literal("*"), z.array(z.string()).readonly()]),
  /** `<id of the installation key>.<32 hex digits>`, {@link ABSENT}, or {@link UNKNOWN}. */
  digest: z.string(),
  /**
   * For {@link ABSENT}: absent since this time (ms since the epoch). Pods may lack a later change.
   */
  since: z.number().optional(),
});
export type Content = z.infer<typeof Content>;

/** The source did not exist. */
export const ABSENT = "absent";
/** Pods may run content from before a change; any present content is newer. */
export const UNKNOWN = "unknown";

export function sourceKey(kind: string, namespace: string, name: string): SourceKey {
  return `${kind}/${namespace}/${name}`;
}

/** Splits a source key into its parts. */
export function splitSourceKey(key: SourceKey): {
  kind: SourceKind;
  namespace: string;
  name: string;
} {
  const [kind = "", namespace = "", name = ""] = key.split("/");
  return { kind: kind as SourceKind, namespace, name };
}

/**
 * The digest of the used keys: SHA-256, cut to 128 bits, over the sorted pairs of key and key
 * digest (null if the source lacks the key), prefixed with the id of the installation key. Digests
 * made under different installation keys are not comparable.
 */
export function contentDigest(source: SourceRecord | undefined, keys: Keys): string {
  if (source === undefined || source.deletedAt !== undefined) return ABSENT;
  const used = keys === "*" ? Object.keys(source.digests).toSorted() : keys;
  const pairs = used.map((key) => [
    key,
    Object.hasOwn(source.digests, key)
      ? source.digests[key]
      : // An object with too many keys has one digest for all of them.
        (source.digests[WHOLE_OBJECT] ?? null),
  ]);
  const hash = createHash("sha256").update(JSON.stringify(pairs)).digest("hex").slice(0, 32);
  return `${source.keyId}.${hash}`;
}

/** Whether two digests were made under the same installation key. */
export function comparable(a: string, b: string): boolean {
  const keyOf = (digest: string) => (digest.includes(".") ? digest.split(".", 1)[0] : undefined);
  const [left, right] = [keyOf(a), keyOf(b)];
  return left === undefined || right === undefined || left === right;
}
