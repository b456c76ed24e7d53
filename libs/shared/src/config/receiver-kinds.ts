import { z } from "zod";
import { duration } from "../duration.ts";
import { SecretRef } from "./secret-ref.ts";

/**
 * An incoming webhook of Slack, whose URL is the credential, or a bot that posts to one channel and
 * edits what it posted.
 */
export const SlackReceiver = z
  .strictObject({
    webhookUrlFrom: SecretRef.optional(),
    tokenFrom: SecretRef.optional(),
    channel: z
      .string()
      .regex(/^[CDG][A-Z0-9]{5,30}$/, "must be the id of a channel, like C0123ABCD")
      .optional(),
    /**
     * Whether warnings and failures of a rollout that was sent already are replies to that
     * message, else messages of their own. Default true.
     */
    thread: z.boolean().optional(),
    /** Where Slack's Web API is. */
    apiUrl: z
      .url({ protocol: /^https?$/ })
      .regex(/^[^?#]*\/$/, "must end with / and have no query")
      .optional(),
  })
  .superRefine(({ webhookUrlFrom, tokenFrom, ...bot }, ctx) => {
    if ((webhookUrlFrom === undefined) === (tokenFrom === undefined)) {
      ctx.addIssue({ code: "custom", message: "must have either webhookUrlFrom or tokenFrom" });
      return;
    }
    if (tokenFrom !== undefined && bot.channel === undefined) {
      const message = "is missing: must be the id of the channel to post to, like C0123ABCD";
      ctx.addIssue({ code: "custom", path: ["channel"], message });
    }
    for (const key of ["channel", "thread", "apiUrl"] as const) {
      if (tokenFrom !== undefined || bot[key] === undefined) continue;
      const message = "does nothing at an incoming webhook, which posts where Slack says";
      ctx.addIssue({ code: "custom", path: [key], message });
    }
  });
export type SlackReceiver = z.infer<typeof SlackReceiver>;

/** A cluster of Alertmanagers: a failed or stalled rollout fires an alert. */
export const AlertmanagerReceiver = z.strictObject({
  /** Every instance, without `/api/v2/alerts`. */
  urls: z
    .array(z.url({ protocol: /^https?$/ }))
    .min(1)
    .max(8),
  /** Sent as `Authorization: Bearer`. */
  tokenFrom: SecretRef.optional(),
  /** Put on every alert; those of the workload cannot be replaced. */
  labels: z
    .record(
      z.string().regex(/^[a-zA-Z_][a-zA-Z0-9_]{0,99}$/, "must be the name of a label"),
      z.string().min(1).max(300),
    )
    .default({}),
  /** The link of every alert. */
  generatorUrl: z.url({ protocol: /^https?$/ }).optional(),
  /** When an alert ends that no success ended, from its start. */
  resolveAfter: duration({ min: "1m", max: "168h" }).prefault("24h"),
  /** How often what fires is sent again. */
  resendInterval: duration({ min: "1s", max: "1h" }).prefault("1m"),
});
export type AlertmanagerReceiver = z.infer<typeof AlertmanagerReceiver>;
