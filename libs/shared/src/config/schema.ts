import { z } from "zod";
import { duration } from "../duration.ts";
import { ApiSettings } from "./api.ts";
import { Kinds } from "./kinds.ts";
import { NotifierConfig } from "./notifier.ts";
import { Reload } from "./reload.ts";
import { QueueAnnotation, Queues, checkQueues } from "./queues.ts";
import { Scope } from "./scope.ts";
import { SecretRef } from "./secret-ref.ts";

/** Paths of PEM files. */
const Tls = z
  .strictObject({
    /** Who signed the server's certificate; else the authorities that Node knows. */
    ca: z.string().min(1).optional(),
    /** This client's own certificate and its key, where the server asks for one. */
    cert: z.string().min(1).optional(),
    key: z.string().min(1).optional(),
  })
  .superRefine((tls, ctx) => {
    if ((tls.cert === undefined) === (tls.key === undefined)) return;
    const path = [tls.cert === undefined ? "cert" : "key"];
    ctx.addIssue({ code: "custom", path, message: "is missing: cert and key go together" });
  });

const Nats = z.strictObject({
  url: z
    .string()
    .regex(/^(nats|tls):\/\/[^\s]+$/, "must be like nats://host:4222")
    .default("nats://127.0.0.1:4222"),
  /** Copies of each stream and bucket; 3 on a cluster of NATS. */
  replicas: z.number().int().min(1).max(5).default(1),
  /** The seed of this service's nkey user. */
  nkey: z.strictObject({ file: z.string().min(1) }).optional(),
  tls: Tls.optional(),
});

const Redis = z.strictObject({
  url: z
    .string()
    .regex(/^rediss?:\/\/[^\s]+$/, "must be like redis://host:6379")
    .default("redis://127.0.0.1:6379"),
  /** The ACL user of this service; better than in the URL, which more places know. */
  username: z.string().min(1).optional(),
  password: SecretRef.optional(),
  tls: Tls.optional(),
});

const Rollout = z.strictObject({
  /** How often every workload's record is compared with its sources. */
  resyncInterval: duration({ min: "1s", max: "24h" }).prefault("5m"),
  /**
   * When a rollout that neither ended nor failed is reported as stalled, for kinds without a
   * progress deadline.
   */
  stalledAfter: duration({ min: "1s", max: "24h" }).prefault("10m"),
  /**
   * A workload that is rolled more often than `maxRollouts` in `period` is slowed down, from
   * `minInterval` doubling to `maxInterval` between two rollouts.
   */
  loopBreaker: z
    .strictObject({
      maxRollouts: z.number().int().min(2).max(1_000).default(20),
      period: duration({ min: "1s", max: "24h" }).prefault("10m"),
      minInterval: duration({ min: "100ms", max: "24h" }).prefault("10s"),
      maxInterval: duration({ min: "1s", max: "24h" }).prefault("15m"),
    })
    .prefault({}),
});

const Keys = z.strictObject({
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
  reload: Reload.prefault({}),
  kinds: Kinds,
  /**
   * Where the key of the digests is, its bytes as they are, at least 32; else the Secret
   * `rollcast-installation-key` in Rollcast's own namespace.
   */
  installationKey: z
    .strictObject({
      file: z.string().min(1).optional(),
      /** Ids of keys that this installation had before, and whose record was lost with NATS. */
      earlierIds: z
        .array(z.string().regex(/^[0-9a-f]{16}$/, "must be the id of a key, 16 of 0-9 and a-f"))
        .max(8)
        .optional(),
    })
    .optional(),
  queues: Queues,
  queueAnnotation: QueueAnnotation.prefault({}),
  rollout: Rollout.prefault({}),
  restarter: z.strictObject({ api: ApiSettings("0.0.0.0:8081").optional() }).prefault({}),
  notifier: NotifierConfig.prefault({}),
  health: z
    .strictObject({
      /**
       * How long a part of a service may stand still, with nothing outside that explains it, before
       * `/livez` says so.
       */
      stallTimeout: duration({ min: "1s", max: "1h" }).prefault("5m"),
    })
    .prefault({}),
  log: z
    .strictObject({ level: z.enum(["trace", "debug", "info", "warn", "error"]).default("info") })
    .prefault({}),
});

/**
 * rollcast.yaml, one file for every service. Strict: an unknown key is a fault. Only `cluster` has
 * no default.
 */
export const Config = Keys.superRefine(checkQueues);
export type Config = z.infer<typeof Config>;
