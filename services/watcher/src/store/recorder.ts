import type { KeyedPool } from "@rollcast/async/keyed-pool";
import { compareVersions } from "@rollcast/kube/resource-version";
import type { SourceRecord } from "@rollcast/shared/records";
import { recordKey } from "@rollcast/shared/subjects";
import { compare, compareDeleted } from "../model/compare.ts";
import type { Circumstances } from "../model/compare.ts";
import type { DeletedSource, Observation, ObservedSource } from "../model/transform.ts";
import type { Outbox } from "./outbox.ts";
import { fingerprintOfObserved } from "./source-store.ts";
import type { CoverageStore, SourceCache } from "./source-store.ts";

/**
 * Records observations of sources: returns at once if nothing differs, else queues the work in the
 * pool. Resolves when the pool has accepted it.
 */
export type Recorder = {
  recordObserved(observed: ObservedSource, observation: Observation): Promise<void>;
  recordDeleted(key: string, what: DeletedSource, observation: Observation): Promise<void>;
  /** Removes the record of a source that left the scope; publishes nothing. */
  forget(key: string): Promise<void>;
  /** Applies any other change, decided on the newest record. */
  update(key: string, decide: (record: SourceRecord) => SourceRecord | undefined): Promise<void>;
};

type RecorderOptions = {
  cluster: string;
  keyId: string;
  cache: SourceCache;
  pool: KeyedPool<string>;
  /** Takes a key out that can be recorded again. */
  refused: Pick<Set<string>, "delete">;
  outbox: Outbox;
  coverage: CoverageStore;
};

export function createRecorder(options: RecorderOptions): Recorder {
  const { cluster, keyId, cache, pool, refused, outbox, coverage } = options;

  const isRecorded = (
    key: string,
    fingerprint: string,
    observed: ObservedSource,
    { restored }: Observation,
  ) => {
    const entry = cache.get(key);
    // While a task of this key runs, the cache is about to change.
    if (entry === undefined || entry.pending || pool.busy(key)) return false;
    if (entry.fingerprint !== fingerprint) return false;
    return !restored || compareVersions(observed.resourceVersion, entry.resourceVersion) >= 0;
  };
  const run = (key: string, task: () => Promise<void>) =>
    pool.run(key, async () => {
      await task();
      refused.delete(key);
    });
  return {
    async recordObserved(observed, observation) {
      const since = performance.now();
      const key = recordKey(cluster, observed);
      const fingerprint = fingerprintOfObserved(observed, keyId);
      // As it was recorded already, it is not new where NATS has lost the record.
      const isKnown = cache.observe(key, fingerprint) === fingerprint;
      if (isRecorded(key, fingerprint, observed, observation)) {
        // It is again as it was before the change that was refused.
        refused.delete(key);
        return;
      }
      await run(key, async () => {
        const { kind, namespace, createdAt } = observed;
        const covered = !isKnown && coverage.covers(kind, namespace, createdAt);
        const at: Circumstances = { ...observation, keyId, now: Date.now(), covered };
        await outbox.apply(key, (record) => compare(record, observed, at), since);
        cache.observe(key, fingerprint);
      });
    },
    async recordDeleted(key, what, { restored }) {
      const since = performance.now();
      cache.observe(key, undefined);
      await run(key, () => {
        const at = { now: Date.now(), restored };
        return outbox.apply(key, (record) => compareDeleted(record, what, at), since);
      });
    },
    forget(key) {
      cache.observe(key, undefined);
      return run(key, () => outbox.remove(key, () => true));
    },
    update: (key, decide) =>
      run(key, () => outbox.apply(key, (record) => record && decide(record))),
  };
}
