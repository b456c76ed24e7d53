import { createHash } from "node:crypto";
import { mapLimit } from "@rollcast/async/map-limit";
import type { Nats } from "@rollcast/nats/connect";
import { Coverage, coverageKey, coverageKeys, sourceKeys } from "@rollcast/nats/installation";
import { openKv } from "@rollcast/nats/kv";
import type { Kv } from "@rollcast/nats/kv";
import { openTransformedKvCache } from "@rollcast/nats/kv-cache";
import type { KvCache } from "@rollcast/nats/kv-cache";
import { modify } from "@rollcast/nats/modify";
import type { Logger } from "@rollcast/runtime/logger";
import { SourceRecord } from "@rollcast/shared/records";
import type { Unit } from "../model/scope.ts";
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
  /**
   * Notes an observation; `fingerprint` is undefined if the object was deleted. Returns what was
   * observed of it before, as far as it was recorded.
   */
  observe(key: string, fingerprint: string | undefined): string | undefined;
  /** Keys of records whose event may not be published yet. */
  readonly pending: ReadonlySet<string>;
  /**
   * Keys whose record differs from the last observation, or is gone without one, with the
   * `performance.now()` since when. With several replicas that is normal for a moment, until this
   * one has observed what another recorded; if it lasts, something was missed, or NATS has lost it.
   */
  readonly drifted: ReadonlyMap<string, number>;
  /** One that lacks its record is listed now: it is no longer drifted until something differs. */
  listing(key: string): void;
};

export function createSourceCache(
  records: Pick<KvCache<CachedSource>, "get" | "list" | "size" | "listen">,
): SourceCache {
  /** Fingerprints of the last observations. */
  const observations = new Map<string, string>();
  const pending = new Set<string>();
  const drifted = new Map<string, number>();

  const refresh = (key: string, cached: CachedSource | undefined) => {
    if (cached?.pending === true) pending.add(key);
    else pending.delete(key);
    const observed = observations.get(key);
    if (observed === undefined || observed === (cached?.fingerprint ?? GONE)) drifted.delete(key);
    else if (!drifted.has(key)) drifted.set(key, performance.now());
    if (cached === undefined && observed === GONE) observations.delete(key);
  };
  for (const { key, value } of records.list()) refresh(key, value);
  records.listen(refresh);
  return {
    get: (key) => records.get(key)?.value,
    list: records.list,
    size: records.size,
    pending,
    drifted,
    listing(key) {
      if (records.get(key) === undefined) drifted.delete(key);
    },
    observe(key, observed) {
      const cached = records.get(key)?.value;
      const before = observations.get(key);
      if (cached === undefined && before === undefined) return undefined;
      observations.set(key, observed ?? GONE);
      refresh(key, cached);
      return before;
    },
  };
}

/**
 * Since when the sources of each unit have been recorded, across restarts. Distinguishes a new
 * source from one that existed before Rollcast watched it.
 */
export type CoverageStore = {
  /**
   * Whether a source of `kind` in `namespace` without a record is new: all of them were recorded
   * once, and it was created after that (`createdAt`, milliseconds since the epoch). One created
   * earlier has entered the scope by its labels.
   */
  covers(kind: string, namespace: string, createdAt: number): boolean;
  /** Notes that every source of these units is recorded. Throws on network faults. */
  add(units: readonly Unit[], now: number): Promise<void>;
  /** Forgets the units of a namespace. If it comes back, it starts with a first sync. */
  remove(units: readonly Unit[]): Promise<void>;
};

/** How far our clock and the API server's may differ. */
const CLOCK_SKEW_MS = 60_000;
const MAX_CONCURRENT = 64;

/** Reads the stored coverage and forgets what is no longer in `units`. */
async function openCoverage(
  nats: Nats,
  cluster: string,
  units: readonly Unit[],
): Promise<CoverageStore> {
  const kv = await openKv(nats, "sources", Coverage);
  const entries = new Map<string, { since: number; revision: number }>();
  for await (const { key, value, revision } of kv.snapshot(coverageKeys(cluster))) {
    entries.set(key, { since: value.since, revision });
  }
  const keyOf = ({ kind, namespace }: Unit) => coverageKey(cluster, kind, namespace);
  const find = (kind: string, namespace: string) =>
    entries.get(coverageKey(cluster, kind, namespace)) ?? entries.get(coverageKey(cluster, kind));

  const addOne = async (unit: Unit, since: number) => {
    const key = keyOf(unit);
    if (entries.has(key)) return;
    const revision = await kv.create(key, { v: 1, since });
    if (revision !== undefined) entries.set(key, { since, revision });
    else {
      const stored = await kv.get(key);
      if (stored !== undefined) {
        entries.set(key, { since: stored.value.since, revision: stored.revision });
      }
    }
  };
  const removeKey = async (key: string) => {
    await modify(kv, key, () => null);
    entries.delete(key);
  };

  // Coverage of all namespaces includes each of them.
  await mapLimit(units, MAX_CONCURRENT, async (unit) => {
    const wider = unit.namespace === undefined ? undefined : find(unit.kind, unit.namespace);
    if (wider !== undefined) await addOne(unit, wider.since);
  });
  const kept = new Set(units.map(keyOf));
  const wide = units.filter((unit) => unit.namespace === undefined).map(keyOf);
  const stale = [...entries.keys()].filter(
    (key) => !kept.has(key) && !wide.some((prefix) => key.startsWith(`${prefix}_`)),
  );
  await mapLimit(stale, MAX_CONCURRENT, removeKey);

  return {
    covers(kind, namespace, createdAt) {
      const entry = find(kind, namespace);
      return entry !== undefined && createdAt > entry.since - CLOCK_SKEW_MS;
    },
    async add(added, now) {
      await mapLimit(added, MAX_CONCURRENT, (unit) => addOne(unit, now));
    },
    async remove(removed) {
      await mapLimit(removed.map(keyOf), MAX_CONCURRENT, removeKey);
    },
  };
}

/** The records of one cluster, their cache and the coverage. */
type SourceStore = {
  readonly kv: Kv<SourceRecord>;
  readonly cache: SourceCache;
  readonly coverage: CoverageStore;
};

/**
 * Opens the coverage of `units` and the records, and keeps the cache up to date as other replicas
 * write. The cache is complete when this returns. Throws on network faults.
 */
export async function openSourceStore(options: {
  nats: Nats;
  cluster: string;
  units: readonly Unit[];
  logger: Logger;
  signal: AbortSignal;
}): Promise<SourceStore> {
  const { nats, cluster, units, logger, signal } = options;
  const coverage = await openCoverage(nats, cluster, units);
  const { cache, kv } = await openTransformedKvCache({
    kv: await openKv(nats, "sources", SourceRecord),
    filter: sourceKeys(cluster),
    transform: cachedSource,
    signal,
  });
  logger.info({ sources: cache.size() }, "records loaded");
  return { kv, cache: createSourceCache(cache), coverage };
}
