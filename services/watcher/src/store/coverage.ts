import { mapLimit } from "@rollcast/async/map-limit";
import { Coverage, coverageKey, coverageKeys } from "@rollcast/nats/installation";
import { openKv } from "@rollcast/nats/kv";
import type { Nats } from "@rollcast/nats/connect";
import type { Unit } from "../model/scope.ts";

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

type Entry = { since: number; revision: number };

/** How far our clock and the API server's may differ. */
const CLOCK_SKEW_MS = 60_000;
const MAX_CONCURRENT = 64;

/** Reads the stored coverage and forgets what is no longer in `units`. */
export async function openCoverage(
  nats: Nats,
  cluster: string,
  units: readonly Unit[],
): Promise<CoverageStore> {
  const kv = await openKv(nats, "sources", Coverage);
  const entries = new Map<string, Entry>();
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
    const stored = await kv.get(key);
    if (stored !== undefined) await kv.remove(key, stored.revision);
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
