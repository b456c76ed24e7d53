import type { Entry, Kv } from "@rollcast/nats/kv";
import type { KvCache } from "@rollcast/nats/kv-cache";
import { put } from "@rollcast/nats/modify";
import { emptyState, stateKey } from "../model/control-entry.ts";
import type { ControlEntry, QueueState } from "../model/control-entry.ts";

/** The state after a change (the same object if unchanged), and the result for the caller. */
type Changed<R> = { readonly state: QueueState; readonly answer: R };

/** At this age a rollout with quota is in the record, or its creator has crashed. */
export const UNRECORDED_QUOTA_MS = 15_000;

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

type QuotaStoreOptions = {
  readonly cluster: string;
  readonly kv: Kv<ControlEntry>;
  readonly cache: KvCache<ControlEntry>;
  /** Publishes the events that a write has added to the entry of this key, in the background. */
  readonly flush: (key: string) => void;
};

/** Changes requested during a write join the next one: one write for many. */
export function createQuotaStore({ cluster, kv, cache, flush }: QuotaStoreOptions): QuotaStore {
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
      if (isWritten && next.outbox !== stored.value.outbox) flush(stateKey(cluster, queue));
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
