import type { Kv } from "@rollcast/nats/kv";
import type { Logger } from "@rollcast/runtime/logger";
import type { Failpoint } from "./failpoints.ts";
import type { NotifyRecord } from "./model/notify-record.ts";
import type { Nats } from "@rollcast/nats/connect";
import { trace } from "@rollcast/runtime/trace";
import type { NotifierMetrics } from "./metrics.ts";
import type { NotificationRecord } from "./model/notification-record.ts";
import type { ReceiverRegistry } from "./registry/receiver-registry.ts";

export const tracer = trace.getTracer("rollcast-notifier");

/** What the parts of the notifier share. */
export type Context = {
  readonly cluster: string;
  readonly records: Kv<NotifyRecord>;
  readonly logger: Logger;
  readonly failpoint: (failpoint: Failpoint) => void;
  readonly nats: Nats;
  /** A reload replaces its fields: read them each time, never keep them. */
  readonly registry: ReceiverRegistry;
  readonly jobs: Jobs;
  readonly metrics: NotifierMetrics;
};

/** The fields of a notification that identify its job. */
export type NotificationRef = Pick<NotificationRecord, "id" | "receiver" | "redriven">;

/**
 * Adds jobs to Redis. A job names a record and holds nothing else; one that cannot be added now is
 * added by the next resync.
 */
export type Jobs = {
  readonly enqueueFlush: (group: string, delayMs: number) => Promise<void>;
  readonly enqueueDelivery: (notification: NotificationRef, delayMs: number) => Promise<void>;
  /**
   * Adds the job to the queue of its receiver, even when this replica does not know the receiver.
   */
  readonly forward: (notification: NotificationRef, delayMs: number) => Promise<void>;
};
