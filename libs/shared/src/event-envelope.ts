import { z } from "zod";

export const Name = z.string().min(1).max(253);

export const Time = z.iso.datetime({ precision: 3 });

export const ObjectId = z.object({ kind: Name, namespace: Name, name: Name });
export type ObjectId = z.infer<typeof ObjectId>;

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
