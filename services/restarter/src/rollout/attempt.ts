import type { Entry } from "@rollcast/nats/kv";
import type { Rollout, WorkloadRecord } from "../model/workload-record.ts";

/** A record with a decided rollout, as written. */
export type Pending = Entry<WorkloadRecord & { readonly rollout: Rollout }>;

/** Which attempt this is, and whether the queue will retry. */
export type Attempt = {
  readonly signal: AbortSignal;
  readonly lastAttempt: boolean;
  /** W3C trace context of what first enqueued the job. */
  readonly traceparent?: string;
};
