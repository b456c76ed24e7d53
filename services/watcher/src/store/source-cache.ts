import { createHash } from "node:crypto";
import type { SourceRecord } from "@rollcast/shared/records";
import type { ObservedSource } from "../model/transform.ts";

/**
 * The cached state of a source: a fingerprint of its record and one of the last observation. The
 * records stay in the bucket and are read when the fingerprints differ.
 */
export type CachedSource = {
  /** Of the record. */
  fingerprint: string;
  resourceVersion: string;
  /** Revision of the record in the bucket `sources`. */
  revision: number;
  pending: boolean;
  deletedAt: number | undefined;
  /** Fingerprint of the last observation; undefined before the first. */
  observedFingerprint: string | undefined;
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

/** The sources of one cluster, by record key. */
export type SourceCache = {
  get(key: string): CachedSource | undefined;
  size(): number;
  keys(): MapIterator<string>;
  entries(): MapIterator<[string, CachedSource]>;
  /**
   * Caches a record at `revision`; an older revision than the cached one is ignored. Undefined
   * removes it.
   */
  set(key: string, record: SourceRecord | undefined, revision: number): void;
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

export function createSourceCache(): SourceCache {
  const sources = new Map<string, CachedSource>();
  const pending = new Set<string>();
  const drifted = new Map<string, number>();

  const refresh = (key: string, cached: CachedSource) => {
    if (cached.pending) pending.add(key);
    else pending.delete(key);
    const { observedFingerprint } = cached;
    if (observedFingerprint === undefined || observedFingerprint === cached.fingerprint) {
      drifted.delete(key);
    } else if (!drifted.has(key)) drifted.set(key, performance.now());
  };
  return {
    get: (key) => sources.get(key),
    size: () => sources.size,
    keys: () => sources.keys(),
    entries: () => sources.entries(),
    pending,
    drifted,
    set(key, record, revision) {
      const cached = sources.get(key);
      if (cached !== undefined && cached.revision > revision) return;
      if (record === undefined) {
        sources.delete(key);
        pending.delete(key);
        drifted.delete(key);
        return;
      }
      const next: CachedSource = {
        fingerprint: fingerprintOfRecord(record),
        resourceVersion: record.resourceVersion,
        revision,
        pending: record.state === "pending",
        deletedAt: record.deletedAt,
        observedFingerprint: cached?.observedFingerprint,
      };
      sources.set(key, next);
      refresh(key, next);
    },
    observe(key, observedFingerprint) {
      const cached = sources.get(key);
      if (cached === undefined) return;
      cached.observedFingerprint = observedFingerprint ?? GONE;
      refresh(key, cached);
    },
  };
}
