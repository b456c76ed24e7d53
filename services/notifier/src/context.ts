import type { Logger } from "@rollcast/runtime/logger";
import type { Kv } from "@rollcast/nats/kv";
import type { PublishOutcome } from "./events/publish-outcome.ts";
import type { Circuit } from "./http/circuit.ts";
import type { NotifierMetrics } from "./metrics.ts";
import type { Receiver } from "./receivers/receiver.ts";
import type { NotifyRecord } from "./model/notify-record.ts";
import type { NotificationRecord } from "./model/notification-record.ts";
import type { Router } from "./route/router.ts";
import type { Failpoint } from "./failpoints.ts";

/** What the parts of the notifier share. */
export type Context = {
  readonly cluster: string;
  readonly records: Kv<NotifyRecord>;
  /**
   * These three change when the configuration is reloaded: read them each time, never keep them.
   */
  readonly receivers: ReadonlyMap<string, Receiver>;
  readonly circuits: ReadonlyMap<string, Circuit>;
  readonly route: Router;
  readonly jobs: Jobs;
  readonly publishOutcome: PublishOutcome;
  readonly metrics: NotifierMetrics;
  readonly logger: Logger;
  readonly failpoint: (failpoint: Failpoint) => void;
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
