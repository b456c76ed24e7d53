import { z } from "zod";
import { Envelope, MessageText, ReasonText } from "./event-envelope.ts";

/** Data of `notification.*`. */
export const NotificationData = z.object({
  receiver: z.string().max(63),
  /**
   * Same over all attempts of one notification; the `webhook-id` where the receiver is a webhook.
   */
  notification: z.string().max(64),
  /** Ids of its events, at most 100. */
  events: z.array(z.string().max(128)).max(100),
  attempts: z.number().int().nonnegative(),
  reason: ReasonText.optional(),
  message: MessageText.optional(),
});
export type NotificationData = z.infer<typeof NotificationData>;

export const NotificationEvent = z.object({
  ...Envelope,
  type: z.templateLiteral(["dev.rollcast.notification.", z.enum(["sent", "dead"]), ".v1"]),
  data: NotificationData,
});
export type NotificationEvent = z.infer<typeof NotificationEvent>;
