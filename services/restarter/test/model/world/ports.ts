import type { Queue } from "@rollcast/shared/config/queues";
import type { Bucket, Outage } from "../ports/bucket.ts";
import type { Jobs } from "../ports/jobs.ts";
import type { KubeApi } from "../ports/kube-api.ts";
import type { Stream } from "../ports/stream.ts";
import type { VirtualClock } from "../ports/clock.ts";
import type { WorldConfig } from "./config.ts";

/** What lies outside a process and outlives it. */
export type Ports = {
  readonly config: WorldConfig;
  readonly clock: VirtualClock;
  readonly kube: KubeApi;
  readonly records: Bucket;
  readonly sources: Bucket;
  readonly control: Bucket;
  readonly jobs: Jobs & { readonly config: Queue };
  readonly stream: Stream;
  /** Of NATS. */
  readonly outage: Outage;
  readonly resyncIntervalMs: number;
};
