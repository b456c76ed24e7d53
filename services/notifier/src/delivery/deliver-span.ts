import type { SpanOptions } from "@rollcast/runtime/trace";
import type { NotificationRecord } from "../model/notification-record.ts";

/** Continues the trace of the first event and links to those of the others. */
export function deliverSpan({ id, receiver, events }: NotificationRecord): SpanOptions {
  const [parent, ...links] = events.map((event) => event.traceparent).filter(Boolean);
  const attributes = { "rollcast.receiver": receiver, "rollcast.notification": id };
  return { kind: "client", parent, links, attributes };
}
