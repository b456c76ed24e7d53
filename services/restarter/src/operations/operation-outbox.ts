import type { Kv } from "@rollcast/nats/kv";
import type { KvCache } from "@rollcast/nats/kv-cache";
import { modify } from "@rollcast/nats/modify";
import type { Logger } from "@rollcast/runtime/logger";
import { freezeEvent, queueEvent } from "@rollcast/shared/event-builders";
import type { FreezeEvent, QueueEvent } from "@rollcast/shared/operation-events";
import { freezeSubject, queueSubject } from "@rollcast/shared/subjects";
import type { Subject } from "@rollcast/shared/subjects";
import type { Failpoint } from "../failpoints.ts";
import type { ControlEntry, OperationEvent } from "../model/control-entry.ts";
import { withoutEvents } from "../model/control-outbox.ts";

export type OutboxOptions = {
  readonly cluster: string;
  readonly kv: Kv<ControlEntry>;
  readonly cache: KvCache<ControlEntry>;
  /** Resolves when the stream has stored the event. */
  readonly publish: (subject: Subject, event: QueueEvent | FreezeEvent) => Promise<void>;
  readonly logger: Logger;
  readonly failpoint: (name: Failpoint) => void;
};

/**
 * Publishes the events that entries of the bucket `control` hold, and takes them out. An entry is
 * written together with its events, so whoever finds them can publish them, under the same ids.
 */
export type OperationOutbox = {
  /** Publishes the events of an entry that this replica has written, in the background. */
  flush(key: string): void;
  /** The same for events that their writer has left for too long: it may be gone. */
  flushOverdue(): void;
};

/**
 * A writer publishes at once. The others wait so long and up to twice as long, each another time:
 * the first of them does it, and the others find nothing left.
 */
const OVERDUE_MS = 1_000;

export function createOperationOutbox(options: OutboxOptions): OperationOutbox {
  const { kv, cache, logger, failpoint } = options;
  const running = new Set<string>();
  const requested = new Set<string>();
  let due = new Map<string, { readonly id: string; readonly at: number }>();

  const flushNow = async (key: string) => {
    const outbox = cache.get(key)?.value.outbox ?? [];
    if (outbox.length === 0) return;
    failpoint("operation-written");
    // An older event of the entry goes first, whoever wrote it: the order is that of the writes.
    for (const event of outbox) await publishEvent(options, event);
    failpoint("operation-published");
    const ids = new Set(outbox.map(({ id }) => id));
    await modify(kv, key, (entry) => withoutEvents(entry, ids));
  };
  const flushRequested = async (key: string) => {
    if (running.has(key)) return;
    running.add(key);
    try {
      while (requested.delete(key)) await flushNow(key);
    } catch (err) {
      logger.warn({ err, key }, "publishing an operation failed, retrying");
    } finally {
      running.delete(key);
    }
  };
  const flush = (key: string) => {
    requested.add(key);
    void flushRequested(key);
  };
  return {
    flush,
    flushOverdue() {
      const before = due;
      due = new Map();
      for (const { key, value } of cache.list()) {
        const [first] = value.outbox ?? [];
        if (first === undefined) continue;
        const existing = before.get(key);
        // Counted from when this replica saw it: the clock of its writer may differ.
        const at = Date.now() + OVERDUE_MS * (1 + Math.random());
        const entry = existing?.id === first.id ? existing : { id: first.id, at };
        due.set(key, entry);
        if (entry.at <= Date.now()) flush(key);
      }
    },
  };
}

async function publishEvent(options: OutboxOptions, event: OperationEvent): Promise<void> {
  const { cluster, publish, logger } = options;
  const parts = { id: event.id, cluster, service: "restarter", time: event.time };
  if (event.domain === "freeze") {
    const { outcome, data } = event;
    await publish(freezeSubject(cluster, outcome, data.scope), freezeEvent(parts, outcome, data));
    logger.info({ ...data, outcome }, "freeze changed");
  } else {
    const { outcome, data } = event;
    await publish(queueSubject(cluster, outcome, data.queue), queueEvent(parts, outcome, data));
    logger.info({ ...data, outcome }, "queue settings changed");
  }
}
