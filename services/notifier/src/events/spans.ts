import type { RolloutEvent } from "@rollcast/shared/events";
import { SpanKind, trace } from "@rollcast/runtime/trace";
import type { TraceOptions } from "@rollcast/runtime/trace";
import type { NotificationRecord } from "../model/notification-record.ts";

export const tracer = trace.getTracer("rollcast-notifier");

export function routeSpan({ traceparent }: RolloutEvent): TraceOptions {
  return { kind: SpanKind.CONSUMER, parent: traceparent };
}

/** Continues the trace of the first event and links to those of the others. */
export function deliverSpan({ id, receiver, events }: NotificationRecord): TraceOptions {
  const [parent, ...links] = events.map((event) => event.traceparent).filter(Boolean);
  const attributes = { "rollcast.receiver": receiver, "rollcast.notification": id };
  return { kind: SpanKind.CLIENT, parent, links, attributes };
}
