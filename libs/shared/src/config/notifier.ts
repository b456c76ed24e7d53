import { z } from "zod";
import { duration } from "../duration.ts";
import { SecretRef } from "./secret-ref.ts";

const ReceiverName = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, "must be a DNS label: a-z, 0-9 and -");

/** What a receiver may reach beyond the default, which is https on port 443 to public addresses. */
export const Security = z.strictObject({
  allowedPorts: z.array(z.number().int().min(1).max(65_535)).max(16).default([443]),
  allowCidrs: z
    .array(z.union([z.cidrv4(), z.cidrv6()]))
    .max(32)
    .default([]),
  allowHttp: z.boolean().default(false),
});
export type Security = z.infer<typeof Security>;

export const WebhookReceiver = z.strictObject({
  url: z.url({ protocol: /^https?$/ }),
  format: z.enum(["cloudevents", "standard"]).default("standard"),
  signing: z.strictObject({ secretsFrom: z.array(SecretRef).min(1).max(4) }).optional(),
});
export type WebhookReceiver = z.infer<typeof WebhookReceiver>;

export const Receiver = z.strictObject({
  name: ReceiverName,
  webhook: WebhookReceiver,
  security: Security.prefault({}),
});
export type Receiver = z.infer<typeof Receiver>;

/** The `notifier:` part of rollcast.yaml. */
export const NotifierConfig = z.strictObject({
  receivers: z.array(Receiver).max(100).default([]),
  /** How long the first event of a group waits for others. */
  groupWait: duration({ max: "1h" }).prefault("10s"),
});
export type NotifierConfig = z.infer<typeof NotifierConfig>;
