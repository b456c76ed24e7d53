import { compareVersions } from "@rollcast/kube/resource-version";
import type { SourceRecord } from "@rollcast/shared/records";
import { recordKey } from "@rollcast/shared/subjects";
import { compare, compareGone } from "../model/compare.ts";
import type { Circumstances, Gone, Sighting } from "../model/observation.ts";
import type { CoverageBook } from "./coverage.ts";
import type { KeyedPool } from "@rollcast/async/keyed-pool";
import { fingerprintOfSeen } from "./source-cache.ts";
import type { KnownSources } from "./source-cache.ts";
import type { Outbox } from "./outbox.ts";
import type { Seen } from "../model/transform.ts";

/** Takes what is seen of sources to their records: at once where nothing differs, else in the pool. Resolves when it is admitted there. */
export type Recorder = {
  present(seen: Seen, sighting: Sighting): Promise<void>;
  gone(key: string, what: Gone, sighting: Sighting): Promise<void>;
  /** Forgets a source that is out of scope now; nothing is told. */
  forget(key: string): Promise<void>;
  /** Any other change of a record, decided on the newest one. */
  amend(key: string, decide: (record: SourceRecord) => SourceRecord | undefined): Promise<void>;
};

export type RecorderOptions = {
  cluster: string;
  keyId: string;
  known: KnownSources;
  pool: KeyedPool;
  outbox: Outbox;
  coverage: CoverageBook;
};

export function createRecorder(options: RecorderOptions): Recorder {
  const { cluster, keyId, known, pool, outbox, coverage } = options;

  const isKnown = (key: string, fingerprint: string, seen: Seen, { restored }: Sighting) => {
    const entry = known.get(key);
    // While a task of this key runs, what is known is not what will be.
    if (entry === undefined || entry.pending || pool.busy(key)) return false;
    if (entry.fingerprint !== fingerprint) return false;
    return !restored || compareVersions(seen.resourceVersion, entry.resourceVersion) >= 0;
  };
  return {
    async present(seen, sighting) {
      const since = performance.now();
      const key = recordKey(cluster, seen);
      const fingerprint = fingerprintOfSeen(seen, keyId);
      known.see(key, fingerprint);
      if (isKnown(key, fingerprint, seen, sighting)) return;
      await pool.run(key, async () => {
        const covered = coverage.covers(seen.kind, seen.namespace, seen.createdAt);
        const at: Circumstances = { ...sighting, keyId, now: Date.now(), covered };
        await outbox.apply(key, (record) => compare(record, seen, at), since);
        known.see(key, fingerprint);
      });
    },
    async gone(key, what, { restored }) {
      const since = performance.now();
      known.see(key, undefined);
      await pool.run(key, () => {
        const at = { now: Date.now(), restored };
        return outbox.apply(key, (record) => compareGone(record, what, at), since);
      });
    },
    forget: (key) => pool.run(key, () => outbox.remove(key, () => true)),
    amend: (key, decide) =>
      pool.run(key, () => outbox.apply(key, (record) => record && decide(record))),
  };
}
