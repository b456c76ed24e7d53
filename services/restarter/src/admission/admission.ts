import { clock } from "../clock.ts";
import type { OutboxEvent, Rollout, WorkloadRecord } from "../model/workload-record.ts";
import type { AdmissionState } from "../decision/decision-input.ts";
import { workloadKey } from "../model/workload.ts";
import type { Workload, WorkloadKey } from "../model/workload.ts";
import type { Change, QueueState } from "../model/control-entry.ts";
import type { Effective } from "./settings.ts";
import { admissible, isLimited, mayStart } from "../decision/quota.ts";
import { failuresOf, mayTake, withoutOutdated } from "../decision/change-failures.ts";
import type { Waiter } from "../decision/quota.ts";
import type { AdmissionOptions } from "./admission-state.ts";
import { createAdmissionReader } from "./admission-state.ts";
import { createFateWriter } from "./fate.ts";
import { createWaiters } from "./waiters.ts";

/** What lets rollouts of this replica begin and what holds them back, with everything that operators and other replicas did. */
export type Admission = {
  /** `since`: when it became due, in milliseconds since the epoch; undefined: only now. */
  of(workload: Workload, since: number | undefined): AdmissionState;
  queueOf(workload: Workload): string;
  settings(queue: string): Effective;
  state(queue: string): QueueState;
  /** Takes a slot where the rollout needs one; false: there is none. */
  reserveQuota(workload: Workload, rollout: Rollout): Promise<boolean>;
  /** Gives the slot of a rollout back that will have no end of its own. */
  releaseQuota(key: WorkloadKey, rollout: Rollout): Promise<void>;
  /** Counts a rollout that has stalled as a failure of its changes, for as long as it is neither through nor overtaken. Safe to repeat. */
  stalled(outcome: OutboxEvent): Promise<void>;
  /** Frees the slot of a rollout that has ended, and counts its failure. Safe to repeat. */
  ended(outcome: OutboxEvent): Promise<void>;
  /** Forgets failures of changes that a source has left behind. */
  moved(present: Change): Promise<void>;
  /** Takes note of who waits for a slot; undefined: nobody of that name any more. */
  observe(key: WorkloadKey, record: WorkloadRecord | undefined): void;
  /** Whether what holds the record back is open now. Who waits for a slot is asked for all at once ({@link admissible}). */
  isOpen(record: WorkloadRecord, workload: Workload): boolean;
  /** Who may take the slots that are free now, oldest first. */
  admissible(): WorkloadKey[];
};

export function createAdmission(options: AdmissionOptions): Admission {
  const { quotaStore } = options;
  const { fileOf, state, settings, frozen, queueOf } = createAdmissionReader(options);
  const waiters = createWaiters(queueOf, options);

  const quota = (queue: string, limits: Effective, self: Waiter): AdmissionState["quota"] => {
    if (!isLimited(limits)) return "none";
    const { rolling } = state(queue);
    // Where nothing is free, which is the rule while many wait, nobody has to be put in order.
    if (!mayStart(rolling, limits, [], self)) return "full";
    return mayStart(rolling, limits, waiters.of(queue), self) ? "free" : "full";
  };
  const note = createFateWriter(options, fileOf);
  const of = (workload: Workload, since: number | undefined): AdmissionState => {
    const queue = queueOf(workload);
    const limits = settings(queue);
    const freeze = frozen(workload);
    return {
      queue,
      haltAfter: fileOf(queue).haltAfter,
      failures: state(queue).failures,
      quota: quota(queue, limits, { key: workloadKey(workload), since: since ?? clock() }),
      ...(freeze === undefined ? {} : { frozen: freeze }),
      ...(limits.paused === undefined ? {} : { paused: limits.paused }),
    };
  };
  return {
    of,
    queueOf,
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
        const may = mayTake(before, settings(queue), { key, changes: ids, haltAfter });
        if (!may) return { state: before, answer: false };
        if (before.rolling[key]?.rollout === rollout.id) return { state: before, answer: true };
        const holder = { rollout: rollout.id, since: clock(), changes: ids };
        return {
          state: { ...before, rolling: { ...before.rolling, [key]: holder } },
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
        // Where the mirror knows of none, there is none but what fails just now, which the next change of the source takes along.
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
