import { z } from "zod";
import { cutText } from "./cut.ts";

export const Name = z.string().min(1).max(253);

export const Time = z.iso.datetime({ precision: 3 });

export const ObjectId = z.object({ kind: Name, namespace: Name, name: Name });
export type ObjectId = z.infer<typeof ObjectId>;

const MAX_REASON = 128;
const MAX_MESSAGE = 1_024;

/** In CamelCase, to search for: `ProgressDeadlineExceeded`, `Forbidden`, `Observe`. */
export const ReasonText = z.string().max(MAX_REASON);
/** A sentence for people: the cluster's own, a receiver's. */
export const MessageText = z.string().max(MAX_MESSAGE);

/**
 * Data of an event with its reason and message cut to what {@link ReasonText} and
 * {@link MessageText} take: others write them, and what is stored longer nobody can read. Pure.
 */
export function cutReasons<
  T extends { readonly reason?: string | undefined; readonly message?: string | undefined },
>(data: T): T {
  const { reason, message } = data;
  return {
    ...data,
    ...(reason === undefined ? {} : { reason: cutText(reason, MAX_REASON) }),
    ...(message === undefined ? {} : { message: cutText(message, MAX_MESSAGE) }),
  };
}

export const Envelope = {
  specversion: z.literal("1.0"),
  id: z.string().min(1).max(128),
  source: z.string().min(1).max(300),
  subject: z.string().min(1).max(700).optional(),
  time: Time,
  datacontenttype: z.literal("application/json").optional(),
  /** W3C trace context, CloudEvents' distributed tracing extension. */
  traceparent: z.string().max(128).optional(),
};
