import { stableId } from "@rollcast/shared/events";
import { freezeEvent, queueEvent } from "@rollcast/shared/event-builders";
import type {
  FreezeData,
  FreezeEvent,
  FreezeOutcome,
  QueueData,
  QueueEvent,
  QueueOutcome,
} from "@rollcast/shared/operation-events";
import type { Logger } from "@rollcast/runtime/logger";
import type { Kv } from "@rollcast/nats/kv";
import type { KvCache } from "@rollcast/nats/kv-cache";
import { modify } from "@rollcast/nats/modify";
import { freezeSubject, queueSubject } from "@rollcast/shared/subjects";
import type { Subject } from "@rollcast/shared/subjects";
import type { ControlEntry } from "../model/control-entry.ts";

/** Who requests it, and until when it applies (ms since the epoch); unset: until it is removed. */
export type By = { readonly by: string; readonly until?: number };

export type UpdaterOptions = {
  readonly cluster: string;
  readonly kv: Kv<ControlEntry>;
  readonly cache: KvCache<ControlEntry>;
  readonly publish: (subject: Subject, event: QueueEvent | FreezeEvent) => Promise<void>;
  readonly logger: Logger;
};

/** The new entry; null: remove it; undefined: leave it unchanged. */
type Next = (before: ControlEntry | undefined) => ControlEntry | null | undefined;

/** Changes entries and publishes the changes. */
export type Updater = {
  /** The id of the change, the same for every publisher; undefined if nothing changed. */
  update(key: string, next: Next): Promise<string | undefined>;
  publishQueue(id: string, outcome: QueueOutcome, data: QueueData): Promise<void>;
  publishFreeze(id: string, outcome: FreezeOutcome, data: FreezeData): Promise<void>;
};

/** Changes that Rollcast makes by itself. */
export const ROLLCAST = "rollcast";
const MAX_TEXT = 128;

/** The author and times to store; throws {@link OperationError} if the end is past. */
export function origin({ by, until }: By): { by: string; at: number; until?: number } {
  const at = Date.now();
  if (until === undefined) return { by: by.slice(0, MAX_TEXT), at };
  if (!(until > at)) throw new OperationError("Invalid", "the end must be later than now");
  return { by: by.slice(0, MAX_TEXT), at, until };
}

/** An end time, as events show it. */
export function untilText(until: number | undefined): { until?: string } {
  return until === undefined ? {} : { until: new Date(until).toISOString() };
}

export function createUpdater(options: UpdaterOptions): Updater {
  const { cluster, kv, logger } = options;
  const partsOf = (id: string) => ({ id, cluster, service: "restarter", time: Date.now() });
  return {
    async update(key, next) {
      const done = await modify(kv, key, next);
      if (done === undefined) return undefined;
      const how = done.value === undefined ? "removed" : "put";
      return stableId(cluster, key, how, String(done.revision));
    },
    async publishQueue(id, outcome, data) {
      const eventId = stableId(id, outcome);
      await options.publish(
        queueSubject(cluster, outcome, data.queue),
        queueEvent(partsOf(eventId), outcome, data),
      );
      logger.info({ ...data, outcome }, "queue settings changed");
    },
    async publishFreeze(id, outcome, data) {
      const eventId = stableId(id, outcome);
      await options.publish(
        freezeSubject(cluster, outcome, data.scope),
        freezeEvent(partsOf(eventId), outcome, data),
      );
      logger.info({ ...data, outcome }, "freeze changed");
    },
  };
}

/** The requested operation is not possible; the message is for people. */
export class OperationError extends Error {
  override name = "OperationError";
  readonly reason: "NotFound" | "Invalid";

  constructor(reason: "NotFound" | "Invalid", message: string) {
    super(message);
    this.reason = reason;
  }
}
