import { z } from "zod";
import { duration } from "../duration.ts";
import { AlertmanagerReceiver, SlackReceiver } from "./receiver-kinds.ts";
import { SecretRef } from "./secret-ref.ts";
import { Templates } from "./templates.ts";

export const ReceiverName = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, "must be a DNS label: a-z, 0-9 and -")
  // In an annotation it stands for nobody.
  .refine((name) => name !== "none", 'must be another name than "none"');

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

export const WebhookReceiver = z
  .strictObject({
    url: z.url({ protocol: /^https?$/ }).optional(),
    urlFrom: SecretRef.optional(),
    format: z.enum(["cloudevents", "standard"]).default("standard"),
    signing: z.strictObject({ secretsFrom: z.array(SecretRef).min(1).max(4) }).optional(),
  })
  .refine(({ url, urlFrom }) => (url === undefined) !== (urlFrom === undefined), {
    error: "must have either url or urlFrom",
  });
export type WebhookReceiver = z.infer<typeof WebhookReceiver>;

/** At most `max` messages in `per`, over all replicas. */
export const RateLimit = z.strictObject({
  max: z.number().int().min(1).max(1_000),
  per: duration({ min: "100ms", max: "1h" }).prefault("1s"),
});
export type RateLimit = z.infer<typeof RateLimit>;

/** The kinds of receivers; a receiver has exactly one. */
export const RECEIVER_KINDS = [
  "webhook",
  "slack",
  "teams",
  "googleChat",
  "alertmanager",
  "none",
] as const;

export type ReceiverKind = (typeof RECEIVER_KINDS)[number];

export const ReceiverConfig = z
  .strictObject({
    name: ReceiverName,
    webhook: WebhookReceiver.optional(),
    slack: SlackReceiver.optional(),
    /** A Workflows webhook of Teams; its URL is the credential. */
    teams: z.strictObject({ urlFrom: SecretRef }).optional(),
    /** An incoming webhook of a Google Chat space; its URL is the credential. */
    googleChat: z.strictObject({ urlFrom: SecretRef }).optional(),
    alertmanager: AlertmanagerReceiver.optional(),
    /** Takes everything and sends nothing. */
    none: z.strictObject({}).optional(),
    /** Default: 10 a second for a webhook and an Alertmanager, 1 a second for a chat. */
    rateLimit: RateLimit.optional(),
    /** Certificates in PEM that it is trusted by, beside those that are trusted anyway. */
    caFrom: SecretRef.optional(),
    security: Security.optional(),
    /** Before the notifier's own. */
    templates: Templates.optional(),
  })
  .superRefine((receiver, ctx) => {
    const kinds = RECEIVER_KINDS.filter((kind) => receiver[kind] !== undefined);
    if (kinds.length !== 1) {
      const message = `must have exactly one of ${RECEIVER_KINDS.join(", ")}`;
      ctx.addIssue({ code: "custom", message });
    }
    if (receiver.none === undefined) return;
    for (const key of ["rateLimit", "caFrom", "security", "templates"] as const) {
      if (receiver[key] === undefined) continue;
      const message = "does nothing at a receiver that sends nothing";
      ctx.addIssue({ code: "custom", path: [key], message });
    }
  });
export type ReceiverConfig = z.infer<typeof ReceiverConfig>;
