import { createHash } from "node:crypto";
import type { KvCache } from "@rollcast/nats/kv-cache";
import type { SourceRecord } from "@rollcast/shared/records";
import type { ObservedSource } from "../model/transform.ts";

/**
 * What is held of a record: the records stay in the bucket and are read when the fingerprint
 * differs from the observed one.
 */
export type CachedSource = {
  readonly fingerprint: string;
  readonly resourceVersion: string;
  readonly pending: boolean;
  readonly deletedAt: number | undefined;
};

const GONE = "gone";

function fingerprint(parts: {
  uid: string;
  keyId: string;
  digests: Readonly<Record<string, string>>;
  annotations: Readonly<Record<string, string>>;
}): string {
  const hash = createHash("sha256").update(`${parts.uid} ${parts.keyId}`);
  for (const entries of [parts.digests, parts.annotations]) {
    hash.update("\0");
    for (const key of Object.keys(entries).sort()) hash.update(`${key}\0${entries[key]}\0`);
  }
  return hash.digest().toString("latin1", 0, 16);
}

export function fingerprintOfRecord(record: SourceRecord): string {
  return record.deletedAt === undefined ? fingerprint(record) : GONE;
}

export function fingerprintOfObserved(observed: ObservedSource, keyId: string): string {
  return fingerprint({ ...observed, keyId });
}

export function cachedSource(record: SourceRecord): CachedSource {
  return {
    fingerprint: fingerprintOfRecord(record),
    resourceVersion: record.resourceVersion,
    pending: record.state === "pending",
    deletedAt: record.deletedAt,
  };
}

/** The sources of one cluster, by record key. */
export type SourceCache = Pick<KvCache<CachedSource>, "list" | "size"> & {
  get(key: string): CachedSource | undefined;
  /** Notes an observation; `fingerprint` is undefined if the object was deleted. */
  observe(key: string, fingerprint: string | undefined): void;
  /** Keys of records whose event may not be published yet. */
  readonly pending: ReadonlySet<string>;
  /**
   * Keys whose record differs from the last observation, with the `performance.now()` since when.
   * With several replicas that is normal for a moment, until this one has observed what another
   * recorded; if it lasts, something was missed.
   */
  readonly drifted: ReadonlyMap<string, number>;
};

export function createSourceCache(records: Omit<KvCache<CachedSource>, "synced">): SourceCache {
  /** Fingerprints of the last observations. */
  const observations = new Map<string, string>();
  const pending = new Set<string>();
  const drifted = new Map<string, number>();

  const refresh = (key: string, cached: CachedSource | undefined) => {
    if (cached === undefined) observations.delete(key);
    if (cached?.pending === true) pending.add(key);
    else pending.delete(key);
    const observed = observations.get(key);
    if (observed === undefined || observed === cached?.fingerprint) drifted.delete(key);
    else if (!drifted.has(key)) drifted.set(key, performance.now());
  };
  for (const { key, value } of records.list()) refresh(key, value);
  records.listen(refresh);
  return {
    get: (key) => records.get(key)?.value,
    list: records.list,
    size: records.size,
    pending,
    drifted,
    observe(key, observed) {
      const cached = records.get(key)?.value;
      if (cached === undefined) return;
      observations.set(key, observed ?? GONE);
      refresh(key, cached);
    },
  };
}
