import { z } from "zod";
import { duration } from "../duration.ts";
import { NotifierConfig } from "./notifier.ts";
import { Scope } from "./scope.ts";

const Nats = z.strictObject({
  url: z
    .string()
    .regex(/^(nats|tls):\/\/[^\s]+$/, "must be like nats://host:4222")
    .default("nats://127.0.0.1:4222"),
  /** Copies of each stream and bucket; 3 on a cluster of NATS. */
  replicas: z.number().int().min(1).max(5).default(1),
});

const Redis = z.strictObject({
  url: z
    .string()
    .regex(/^rediss?:\/\/[^\s]+$/, "must be like redis://host:6379")
    .default("redis://127.0.0.1:6379"),
});

const Queue = z.strictObject({
  name: z.literal("default", { error: 'only the queue "default" exists' }),
  /** Patches at once in each restarter. */
  concurrency: z.number().int().min(1).max(1_000).default(20),
  /** Changes of one workload's sources inside this time, counted from the first, are one rollout. */
  window: duration({ max: "1h" }).prefault("1s"),
});
export type Queue = z.infer<typeof Queue>;

const Rollout = z.strictObject({
  /** How often every workload's record is compared with its sources. */
  sweepInterval: duration({ min: "1s", max: "24h" }).prefault("5m"),
  /** When a rollout that neither ended nor failed is told as stalled, for kinds without a progress deadline. */
  stalledAfter: duration({ min: "1s", max: "24h" }).prefault("10m"),
  /** A workload that is rolled more often than `maxRollouts` in `period` is slowed down, from `minInterval` doubling to `maxInterval` between two rollouts. */
  loopBreaker: z
    .strictObject({
      maxRollouts: z.number().int().min(2).max(1_000).default(20),
      period: duration({ min: "1s", max: "24h" }).prefault("10m"),
      minInterval: duration({ min: "100ms", max: "24h" }).prefault("10s"),
      maxInterval: duration({ min: "1s", max: "24h" }).prefault("15m"),
    })
    .prefault({}),
});

/** rollcast.yaml, one file for every service. Strict: an unknown key is a fault. Only `cluster` has no default. */
export const Config = z.strictObject({
  apiVersion: z.literal("rollcast.dev/v1"),
  kind: z.literal("Config"),
  /** A token in every subject. */
  cluster: z
    .string()
    .max(63)
    .regex(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/, "must be a DNS label: a-z, 0-9 and -"),
  /** `observe` plans, publishes and notifies everything, and patches nothing. */
  mode: z.enum(["active", "observe"]).default("active"),
  nats: Nats.prefault({}),
  redis: Redis.prefault({}),
  scope: Scope.prefault({}),
  /** Where the key of the digests is, its bytes as they are, at least 32; else the Secret `rollcast-installation-key` in Rollcast's own namespace. */
  installationKey: z.strictObject({ file: z.string().min(1) }).optional(),
  queues: z
    .array(Queue)
    .max(1)
    .default([])
    .transform((queues) => (queues.length === 0 ? [Queue.parse({ name: "default" })] : queues)),
  rollout: Rollout.prefault({}),
  notifier: NotifierConfig.prefault({}),
  log: z
    .strictObject({ level: z.enum(["trace", "debug", "info", "warn", "error"]).default("info") })
    .prefault({}),
});
export type Config = z.infer<typeof Config>;
