import type { Entry } from "@rollcast/nats/kv";
import type { Rollout, WorkloadRecord } from "../model/workload-record.ts";

/** A record whose rollout is decided, as it was written. */
export type Pending = Entry<WorkloadRecord> & { readonly value: { readonly rollout: Rollout } };

/** Which attempt this is, and whether another will follow by itself. */
export type Attempt = {
  readonly signal: AbortSignal;
  readonly lastAttempt: boolean;
  /** W3C trace context of what asked for the turn first. */
  readonly traceparent?: string | undefined;
};
