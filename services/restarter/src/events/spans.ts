import type { SourceEvent } from "@rollcast/shared/events";
import { SpanKind, trace } from "@rollcast/runtime/trace";
import type { TraceOptions } from "@rollcast/runtime/trace";
import type { OutboxEvent } from "../model/workload-record.ts";
import { workloadKey } from "../model/workload.ts";

export const tracer = trace.getTracer("rollcast-restarter");

export function attributesOf(workload: Parameters<typeof workloadKey>[0] & { namespace: string }) {
  return {
    "k8s.namespace.name": workload.namespace,
    "rollcast.workload": workloadKey(workload),
  };
}

/** The span of the event that reports a change. */
export function planSpan({ traceparent, data }: SourceEvent): TraceOptions {
  const { kind, namespace, name } = data;
  const attributes = { "rollcast.source": `${kind}/${namespace}/${name}` };
  return { kind: SpanKind.CONSUMER, parent: traceparent, attributes };
}

/**
 * The trace stored in the outcome's rollout, which is right even if something else triggered this
 * run.
 */
export function tracedBy({ traceparent }: OutboxEvent): { traceparent?: string } {
  return traceparent === undefined ? {} : { traceparent };
}

/** The time from the patch to the end. */
export function endSpan({ traceparent, time, outcome, data }: OutboxEvent): TraceOptions {
  return {
    parent: traceparent,
    startTime: time - (data.durationMs ?? 0),
    attributes: { ...attributesOf(data.workload), "rollcast.outcome": outcome },
  };
}
