import { mapLimit } from "@rollcast/async/map-limit";
import { TerminalError } from "@rollcast/shared/errors";
import { stableId } from "@rollcast/shared/events";
import type { RolloutEvent } from "@rollcast/shared/events";
import type { ObjectId } from "@rollcast/shared/event-envelope";
import type { Logger } from "@rollcast/runtime/logger";
import type { Kv } from "@rollcast/nats/kv";
import { modify } from "@rollcast/nats/modify";
import type { AlertRecord } from "../model/alert-record.ts";
import { foldAlert, isSpent } from "./alert.ts";
import type { AlertSettings, AlertText } from "./alert.ts";
import type { NotifyRecord } from "../model/notify-record.ts";

export type AlertStoreOptions = {
  records: Kv<NotifyRecord>;
  cluster: string;
  receiver: string;
  settings: AlertSettings;
  /** Renders the texts of an event's alert. */
  text: (event: RolloutEvent) => AlertText;
  logger: Logger;
};

/** Stores the alerts of workloads for one receiver. */
export type AlertStore = {
  /**
   * Applies the events to the records of their workloads and returns those records. One that a
   * newer version wrote is left as it is: what the events say is returned all the same, to be sent
   * and not stored.
   */
  apply(events: readonly RolloutEvent[]): Promise<AlertRecord[]>;
  /** Returns every record and removes those that are spent. */
  all(): Promise<AlertRecord[]>;
};

const CONCURRENCY = 32;

function idOf({ kind, namespace, name }: ObjectId): string {
  return stableId(kind, namespace, name);
}

async function applyToWorkload(
  options: AlertStoreOptions,
  id: string,
  events: readonly RolloutEvent[],
): Promise<AlertRecord | undefined> {
  const { records, cluster, receiver } = options;
  const key = `${cluster}.alert.${receiver}.${id}`;
  let record: AlertRecord | undefined;
  await modify(records, key, (before) => {
    record = foldAll(options, before?.type === "alert" ? before : undefined, events);
    return record;
  });
  return record;
}

/** The record with what the events say of its workload. */
function foldAll(
  { receiver, text }: AlertStoreOptions,
  before: AlertRecord | undefined,
  events: readonly RolloutEvent[],
): AlertRecord | undefined {
  const now = Date.now();
  return events.reduce<AlertRecord | undefined>(
    (record, event) => foldAlert(record, event, { receiver, text: text(event), now }),
    before,
  );
}

async function applyIfReadable(
  options: AlertStoreOptions,
  id: string,
  events: readonly RolloutEvent[],
): Promise<AlertRecord | undefined> {
  try {
    return await applyToWorkload(options, id, events);
  } catch (err) {
    if (!(err instanceof TerminalError)) throw err;
    const { logger, receiver } = options;
    logger.error({ err, receiver }, "unreadable record, the alert is sent and not stored");
    return foldAll(options, undefined, events);
  }
}

export function createAlertStore(options: AlertStoreOptions): AlertStore {
  const { records, cluster, receiver } = options;
  return {
    async apply(events) {
      const byWorkload = Map.groupBy(events, ({ data }) => idOf(data.workload));
      const updated = await mapLimit(byWorkload, CONCURRENCY, ([id, ofWorkload]) =>
        applyIfReadable(options, id, ofWorkload),
      );
      return updated.filter((record) => record !== undefined);
    },
    async all() {
      const current: AlertRecord[] = [];
      const ours = `${cluster}.alert.${receiver}.*`;
      for await (const { key, value, revision } of records.snapshot(ours)) {
        if (value.type !== "alert") continue;
        if (isSpent(value, options.settings, Date.now())) await records.remove(key, revision);
        else current.push(value);
      }
      return current;
    },
  };
}
