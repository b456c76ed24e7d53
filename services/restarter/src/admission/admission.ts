import { DEFAULT_QUEUE } from "@rollcast/shared/config/queues";
import type { Queue } from "@rollcast/shared/config/queues";
import type { KvCache } from "@rollcast/nats/kv-cache";
import type { OutboxEvent, Rollout, WorkloadRecord } from "../model/workload-record.ts";
import type { AdmissionState } from "../decision/decision.ts";
import { workloadKey } from "../model/workload.ts";
import type { Workload, WorkloadKey } from "../model/workload.ts";
import {
  effective,
  emptyState,
  freezeKey,
  settingsKey,
  stateKey,
  withFailures,
} from "../model/control-entry.ts";
import type { Change, ControlEntry, Effective, QueueState } from "../model/control-entry.ts";
import {
  admissible,
  failuresOf,
  inOrder,
  isLimited,
  mayReserve,
  mayStart,
  withoutOutdated,
} from "../decision/blocking-gate.ts";
import type { Waiter } from "../decision/blocking-gate.ts";
import { createEndRecorder } from "./end-recorder.ts";
import type { QuotaStore } from "./quota-store.ts";
import type { AssignQueue, QueueAssignment } from "../model/queue-assignment.ts";

/**
 * Admits rollouts of this replica or blocks them, with the settings and quota shared by all
 * replicas.
 */
export type Admission = {
  /** Whether everything below knows what any replica has written. */
  isSynced(): boolean;
  /** Resolves when it does. */
  synced(): Promise<void>;
  /** Keys of entries that this version cannot read: a freeze, or a queue, that holds back. */
  readonly unreadable: KvCache<ControlEntry>["unreadable"];
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
  /**
   * Releases the quota of a stalled rollout, and counts it as a failure until it succeeds or is
   * superseded. Idempotent.
   */
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
  const note = createEndRecorder({ ...options, fileOf });
  const of = (workload: Workload, since: number | undefined): AdmissionState => {
    const queue = queueOf(workload);
    const limits = settings(queue);
    const freeze = frozen(workload);
    return {
      queue,
      haltAfter: fileOf(queue).haltAfter,
      failures: state(queue).failures,
      quota: quota(queue, limits, { key: workloadKey(workload), since: since ?? Date.now() }),
      frozen: freeze,
      paused: limits.paused,
    };
  };
  return {
    isSynced: options.cache.isSynced,
    synced: options.cache.synced,
    unreadable: options.cache.unreadable,
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
        const quotaUse = { rollout: rollout.id, since: Date.now(), changes: ids };
        return {
          state: { ...before, rolling: { ...before.rolling, [key]: quotaUse } },
          answer: true,
        };
      });
    },
    async releaseQuota(key, rollout) {
      if (rollout.quota === true && rollout.queue !== undefined) {
        await note(rollout.queue, { key, rollout: rollout.id, releasesQuota: true });
      }
    },
    async stalled({ data: { rollout, queue, workload }, failedChanges }) {
      if (rollout === undefined || queue === undefined) return;
      const key = workloadKey(workload);
      const holds = state(queue).rolling[key]?.rollout === rollout;
      if (failedChanges === undefined && !holds) return;
      await note(queue, { key, rollout, releasesQuota: true, failedChanges });
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
        await note(where, { key, rollout, releasesQuota: true, failedChanges, clearsFailure });
    },
    async moved(present) {
      for (const { name } of options.queues) {
        // Failures missing from the cache are being written; the next change of the source drops
        // them.
        const { failures } = state(name);
        if (withoutOutdated(failures, present) === failures) continue;
        await quotaStore.change(name, (before) => {
          const left = withoutOutdated(before.failures, present);
          const isSame = left === before.failures;
          return { state: isSame ? before : withFailures(before, left), answer: undefined };
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

/**
 * Queue assignments by workload with the present namespace labels; each is cached while it is
 * valid.
 */
export type QueueAssigner = {
  of(workload: Workload): QueueAssignment;
  /** The labels of a namespace changed; undefined: it is gone. */
  relabel(namespace: string, labels: Readonly<Record<string, string>> | undefined): void;
};

export function createQueueAssigner(place: AssignQueue): QueueAssigner {
  const labels = new Map<string, Readonly<Record<string, string>>>();
  let assignments = new WeakMap<Workload, QueueAssignment>();
  return {
    of(workload) {
      const before = assignments.get(workload);
      if (before !== undefined) return before;
      const assignment = place(workload, labels.get(workload.namespace) ?? {});
      assignments.set(workload, assignment);
      return assignment;
    },
    relabel(namespace, now) {
      if (now === undefined) labels.delete(namespace);
      else labels.set(namespace, now);
      assignments = new WeakMap();
    },
  };
}

export type AdmissionOptions = {
  readonly cluster: string;
  readonly queues: readonly Queue[];
  readonly cache: KvCache<ControlEntry>;
  readonly quotaStore: QuotaStore;
  readonly assigner: QueueAssigner;
  readonly workload: (key: WorkloadKey) => Workload | undefined;
};

function lasts(until: number | undefined): boolean {
  return until === undefined || until > Date.now();
}

function createAdmissionReader(options: AdmissionOptions) {
  const { cluster, cache, assigner } = options;
  const queues = new Map(options.queues.map((queue) => [queue.name, queue]));
  const fileOf = (name: string): Queue => {
    // A record may name a queue that is no longer configured.
    const queue = queues.get(name) ?? queues.get(DEFAULT_QUEUE);
    if (queue === undefined) throw new Error("the configuration has no default queue");
    return queue;
  };
  const state = (queue: string) => {
    const entry = cache.get(stateKey(cluster, queue))?.value;
    return entry?.type === "state" ? entry : emptyState(queue);
  };
  const settings = (queue: string): Effective => {
    const entry = cache.get(settingsKey(cluster, queue))?.value;
    const live = entry?.type === "settings" ? entry : undefined;
    const present = effective(fileOf(queue), live, Date.now());
    // Whether it is paused, halted or used up, nobody knows.
    const isUnknown = [settingsKey, stateKey].some((keyOf) =>
      cache.unreadable.has(keyOf(cluster, queue)),
    );
    return isUnknown ? { ...present, paused: {} } : present;
  };
  /** The freeze that lasts longest. */
  const frozen = ({ kind, namespace, name }: Workload): AdmissionState["frozen"] => {
    const scopes = [
      { level: "cluster" },
      { level: "namespace", namespace },
      { level: "workload", kind, namespace, name },
    ] as const;
    const keys = scopes.map((scope) => freezeKey(cluster, scope));
    // What cannot be read may last as long as it likes.
    if (keys.some((key) => cache.unreadable.has(key))) return {};
    const freezes = keys
      .map((key) => cache.get(key)?.value)
      .filter((entry) => entry?.type === "freeze")
      .filter((freeze) => lasts(freeze.until));
    if (freezes.length === 0) return undefined;
    const until = Math.max(...freezes.map((freeze) => freeze.until ?? Number.POSITIVE_INFINITY));
    return Number.isFinite(until) ? { until } : {};
  };
  const queueOf = (workload: Workload) => assigner.of(workload).queue;
  return { fileOf, state, settings, frozen, queueOf };
}

/** Who waits for quota, and since when. */
function createWaiters(queueOf: (workload: Workload) => string, options: AdmissionOptions) {
  const waiting = new Map<WorkloadKey, number>();
  return {
    observe(key: WorkloadKey, record: WorkloadRecord | undefined) {
      if (record?.due?.reason === "MaxRolling") waiting.set(key, record.staleSince ?? 0);
      else waiting.delete(key);
    },
    of(queue: string): Waiter[] {
      const waiters: Waiter[] = [];
      for (const [key, since] of waiting) {
        const workload = options.workload(key);
        if (workload !== undefined && queueOf(workload) === queue) waiters.push({ key, since });
      }
      return inOrder(waiters);
    },
  };
}
