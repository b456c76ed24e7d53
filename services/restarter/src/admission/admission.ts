import { clock } from "../clock.ts";
import type { OutboxEvent, Rollout, WorkloadRecord } from "../model/workload-record.ts";
import type { AdmissionState } from "../decision/decision-input.ts";
import { workloadKey } from "../model/workload.ts";
import type { Workload, WorkloadKey } from "../model/workload.ts";
import type { Change, QueueState } from "../model/control-entry.ts";
import type { Effective } from "./settings.ts";
import { admissible, isLimited, mayStart } from "../decision/quota.ts";
import { failuresOf, mayReserve, withoutOutdated } from "../decision/change-failures.ts";
import type { Waiter } from "../decision/quota.ts";
import type { AdmissionOptions } from "./admission-state.ts";
import { createAdmissionReader } from "./admission-state.ts";
import { createEndRecorder } from "./end-recorder.ts";
import { createWaiters } from "./waiters.ts";

/**
 * Admits rollouts of this replica or blocks them, with the settings and quota shared by all
 * replicas.
 */
export type Admission = {
  /** `since`: when it became due (ms since the epoch); undefined: just now. */
  of(workload: Workload, since: number | undefined): AdmissionState;
  queueOf(workload: Workload): string;
  /** How long the workload's queue collects changes before they are rolled, in milliseconds. */
  windowOf(workload: Workload): number;
  settings(queue: string): Effective;
  state(queue: string): QueueState;
  /** Reserves quota if the rollout needs it; false if none is free. */
  reserveQuota(workload: Workload, rollout: Rollout): Promise<boolean>;
  /** Releases the quota of a rollout that will have no end of its own. */
  releaseQuota(key: WorkloadKey, rollout: Rollout): Promise<void>;
  /** Counts a stalled rollout as a failure until it succeeds or is superseded. Idempotent. */
  stalled(event: OutboxEvent): Promise<void>;
  /** Releases the quota of an ended rollout and counts its failure. Idempotent. */
  ended(event: OutboxEvent): Promise<void>;
  /** Drops failures of outdated changes. */
  moved(present: Change): Promise<void>;
  /** Observes who waits for quota; undefined: the workload no longer waits. */
  observe(key: WorkloadKey, record: WorkloadRecord | undefined): void;
  /** Whether the gate that blocks the record is open. For quota see {@link admissible}. */
  isOpen(record: WorkloadRecord, workload: Workload): boolean;
  /** The waiters that may get the free quota, oldest first. */
  admissible(): WorkloadKey[];
};

export function createAdmission(options: AdmissionOptions): Admission {
  const { quotaStore } = options;
  const { fileOf, state, settings, frozen, queueOf } = createAdmissionReader(options);
  const waiters = createWaiters(queueOf, options);

  const quota = (queue: string, limits: Effective, self: Waiter): AdmissionState["quota"] => {
    if (!isLimited(limits)) return "none";
    const { rolling } = state(queue);
    // Usually nothing is free while many wait: skip the sorting.
    if (!mayStart(rolling, limits, [], self)) return "full";
    return mayStart(rolling, limits, waiters.of(queue), self) ? "free" : "full";
  };
  const note = createEndRecorder(options, fileOf);
  const of = (workload: Workload, since: number | undefined): AdmissionState => {
    const queue = queueOf(workload);
    const limits = settings(queue);
    const freeze = frozen(workload);
    return {
      queue,
      haltAfter: fileOf(queue).haltAfter,
      failures: state(queue).failures,
      quota: quota(queue, limits, { key: workloadKey(workload), since: since ?? clock() }),
      frozen: freeze,
      paused: limits.paused,
    };
  };
  return {
    of,
    queueOf,
    windowOf: (workload) => fileOf(queueOf(workload)).window,
    settings,
    state,
    observe: waiters.observe,
    async reserveQuota(workload, rollout) {
      const { queue = queueOf(workload), changes = [] } = rollout;
      if (rollout.quota !== true) return true;
      const key = workloadKey(workload);
      const ids = changes.map(({ id }) => id);
      return quotaStore.change(queue, (before) => {
        const { haltAfter } = fileOf(queue);
        const may = mayReserve(before, settings(queue), { key, changes: ids, haltAfter });
        if (!may) return { state: before, answer: false };
        if (before.rolling[key]?.rollout === rollout.id) return { state: before, answer: true };
        const quotaUse = { rollout: rollout.id, since: clock(), changes: ids };
        return {
          state: { ...before, rolling: { ...before.rolling, [key]: quotaUse } },
          answer: true,
        };
      });
    },
    async releaseQuota(key, rollout) {
      if (rollout.quota === true && rollout.queue !== undefined) {
        await note(rollout.queue, key, rollout.id, { releasesQuota: true });
      }
    },
    async stalled({ data: { rollout, queue, workload }, failedChanges }) {
      if (rollout === undefined || queue === undefined || failedChanges === undefined) return;
      await note(queue, workloadKey(workload), rollout, { releasesQuota: false, failedChanges });
    },
    async ended({ data, releasesQuota, failedChanges, clearsFailure = false }) {
      const { rollout, queue, workload } = data;
      if (rollout === undefined) return;
      const key = workloadKey(workload);
      const holds = queue !== undefined && state(queue).rolling[key]?.rollout === rollout;
      if (releasesQuota === undefined && failedChanges === undefined && !clearsFailure && !holds)
        return;
      const where = releasesQuota ?? queue;
      if (where !== undefined)
        await note(where, key, rollout, { releasesQuota: true, failedChanges, clearsFailure });
    },
    async moved(present) {
      for (const { name } of options.queues) {
        // Failures missing from the cache are being written; the next change of the source drops
        // them.
        if (withoutOutdated(state(name).failures, present) === state(name).failures) continue;
        await quotaStore.change(name, (before) => {
          const failures = withoutOutdated(before.failures, present);
          const isSame = failures === before.failures;
          return {
            state: isSame ? before : { ...before, failures: [...failures] },
            answer: undefined,
          };
        });
      }
    },
    isOpen({ due }, workload) {
      const queue = queueOf(workload);
      if (due?.reason === "Frozen") return frozen(workload) === undefined;
      if (due?.reason === "QueuePaused") return settings(queue).paused === undefined;
      if (due?.reason === "Halted") {
        return failuresOf(state(queue).failures, due.changes ?? []) < fileOf(queue).haltAfter;
      }
      return false;
    },
    admissible() {
      return options.queues.flatMap(({ name }) => {
        const limits = settings(name);
        const list = waiters.of(name);
        if (!isLimited(limits)) return list.map(({ key }) => key as WorkloadKey);
        return admissible(state(name).rolling, limits, list).map(({ key }) => key as WorkloadKey);
      });
    },
  };
}
