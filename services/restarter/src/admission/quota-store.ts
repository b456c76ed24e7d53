import type { Entry, Kv } from "@rollcast/nats/kv";
import type { KvCache } from "@rollcast/nats/kv-cache";
import { put } from "@rollcast/nats/modify";
import type { Queue } from "@rollcast/shared/config/queues";
import { emptyState, stateKey } from "../model/control-entry.ts";
import type { Change, ControlEntry, QueueState } from "../model/control-entry.ts";
import { failuresOf, withFailure, withoutFailure } from "../decision/blocking-gate.ts";
import type { AdmissionOptions } from "./admission.ts";

/** The state after a change (the same object if unchanged), and the result for the caller. */
type Changed<R> = { readonly state: QueueState; readonly answer: R };

/** The states of the queues, changed by compare-and-set: one change at a time over all replicas. */
export type QuotaStore = {
  /** `fresh`: a result that changes nothing is computed from the server's state, not the cache. */
  change<R>(
    queue: string,
    apply: (state: QueueState) => Changed<R>,
    options?: { fresh?: boolean },
  ): Promise<R>;
};

type Waiting = {
  apply: (state: QueueState) => QueueState;
  fresh: boolean;
  reconcile: (err?: unknown) => void;
};

/** `entry`: what it was read from; undefined where there is none. */
type Stored = {
  readonly value: QueueState;
  readonly entry: Pick<Entry<ControlEntry>, "revision"> | undefined;
};

/** Changes requested during a write join the next one: one write for many. */
export function createQuotaStore(
  cluster: string,
  kv: Kv<ControlEntry>,
  cache: KvCache<ControlEntry>,
): QuotaStore {
  const waiting = new Map<string, Waiting[]>();
  const busy = new Set<string>();

  const cached = (queue: string): Stored => {
    const entry = cache.get(stateKey(cluster, queue));
    if (entry?.value.type !== "state") return { value: emptyState(queue), entry: undefined };
    return { value: entry.value, entry };
  };
  const read = async (queue: string): Promise<Stored> => {
    const entry = await kv.get(stateKey(cluster, queue));
    if (entry?.value.type !== "state") return { value: emptyState(queue), entry: undefined };
    return { value: entry.value, entry };
  };
  const write = async (queue: string, next: QueueState, before: Stored["entry"]) =>
    (await put(kv, stateKey(cluster, queue), next, before)) !== undefined;
  const settleAll = async (queue: string, batch: readonly Waiting[]) => {
    let stored = cached(queue);
    for (let isFresh = false; ; isFresh = true) {
      let next = stored.value;
      let needsFresh = false;
      for (const change of batch) {
        const before = next;
        next = change.apply(before);
        needsFresh ||= change.fresh && next === before;
      }
      const isWritten = next !== stored.value && (await write(queue, next, stored.entry));
      if (isWritten || (next === stored.value && (isFresh || !needsFresh))) return;
      stored = await read(queue);
    }
  };
  const pump = async (queue: string) => {
    if (busy.has(queue)) return;
    busy.add(queue);
    for (;;) {
      const batch = waiting.get(queue) ?? [];
      waiting.delete(queue);
      if (batch.length === 0) break;
      const err = await settleAll(queue, batch).then(
        () => undefined,
        (failure: unknown) => failure ?? new Error("the queue's state was not written"),
      );
      for (const change of batch) change.reconcile(err);
    }
    busy.delete(queue);
  };
  return {
    change<R>(
      queue: string,
      apply: (state: QueueState) => Changed<R>,
      options: { fresh?: boolean } = {},
    ): Promise<R> {
      const { promise, resolve, reject } = Promise.withResolvers<R>();
      let answer: R;
      const change: Waiting = {
        apply(state) {
          const changed = apply(state);
          ({ answer } = changed);
          return changed.state;
        },
        fresh: options.fresh === true,
        reconcile: (err) => (err === undefined ? resolve(answer) : reject(err)),
      };
      waiting.set(queue, [...(waiting.get(queue) ?? []), change]);
      void pump(queue);
      return promise;
    },
  };
}

/**
 * How a rollout ended: whether its quota is free, which changes failed with it, and whether it no
 * longer counts as a failure.
 */
type RolloutEnd = {
  readonly releasesQuota: boolean;
  readonly failedChanges?: readonly Change[];
  readonly clearsFailure?: boolean;
};

/**
 * Writes how a rollout ended into its queue's state, and publishes an event if that halts its
 * changes.
 */
export function createEndRecorder(
  { quotaStore, halted }: Pick<AdmissionOptions, "quotaStore" | "halted">,
  fileOf: (queue: string) => Queue,
): (queue: string, key: string, rollout: string, end: RolloutEnd) => Promise<void> {
  return async (queue, key, rollout, end) => {
    const { releasesQuota, failedChanges, clearsFailure } = end;
    const answer = await quotaStore.change(
      queue,
      (before) => {
        const { [key]: quotaUse, ...others } = before.rolling;
        const rolling = releasesQuota && quotaUse?.rollout === rollout ? others : before.rolling;
        const left = clearsFailure ? withoutFailure(before.failures, rollout) : before.failures;
        const failures =
          failedChanges === undefined ? left : withFailure(left, failedChanges, rollout);
        const same = rolling === before.rolling && failures === before.failures;
        return {
          state: same ? before : { ...before, rolling, failures: [...failures] },
          answer: failedChanges === undefined ? 0 : failuresOf(failures, failedChanges),
        };
      },
      { fresh: true },
    );
    if (failedChanges !== undefined && answer >= fileOf(queue).haltAfter) {
      await halted(queue, failedChanges, answer);
    }
  };
}
