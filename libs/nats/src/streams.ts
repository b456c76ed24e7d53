import { RetentionPolicy, StorageType, StoreCompression } from "@nats-io/jetstream";
import type { StreamConfig } from "@nats-io/jetstream";

/** The stream that holds every event for a week. */
export const EVENT_STREAM = "ROLLCAST";
/** The stream that holds what could not be handled or delivered for a month. */
export const DEAD_LETTER_STREAM = "ROLLCAST_DLQ";
/** The key-value buckets; each is the stream `KV_<name>`. */
export const BUCKETS = ["sources", "workloads", "control", "notify"] as const;

export type Bucket = (typeof BUCKETS)[number];

const DAY_NS = 24 * 3_600 * 1_000_000_000;
const MINUTE_NS = 60 * 1_000_000_000;
export const MIB = 1_048_576;

export const STREAMS: readonly (Partial<StreamConfig> & { name: string })[] = [
  {
    name: EVENT_STREAM,
    description: "Events of Rollcast (CloudEvents)",
    subjects: ["rollcast.v1.>"],
    retention: RetentionPolicy.Limits,
    storage: StorageType.File,
    max_age: 7 * DAY_NS,
    max_bytes: 2_048 * MIB,
    max_msg_size: 65_536,
    duplicate_window: 5 * MINUTE_NS,
    deny_delete: true,
    deny_purge: true,
    allow_direct: true,
    compression: StoreCompression.S2,
  },
  {
    name: DEAD_LETTER_STREAM,
    description: "What Rollcast could not handle or deliver, with the reason",
    subjects: [
      "rollcast.dlq.v1.>",
      `$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.${EVENT_STREAM}.*`,
      `$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED.${EVENT_STREAM}.*`,
    ],
    retention: RetentionPolicy.Limits,
    storage: StorageType.File,
    max_age: 30 * DAY_NS,
    max_bytes: 512 * MIB,
    duplicate_window: 5 * MINUTE_NS,
    allow_direct: true,
  },
];
