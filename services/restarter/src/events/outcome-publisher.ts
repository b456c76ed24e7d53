import type { Nats } from "@rollcast/nats/connect";
import { publish } from "@rollcast/nats/publish";
import { SpanKind, carried, trace } from "@rollcast/runtime/trace";
import type { TraceOptions } from "@rollcast/runtime/trace";
import { rolloutEvent } from "@rollcast/shared/event-builders";
import { rolloutSubject } from "@rollcast/shared/subjects";
import type { RolloutData, SourceEvent } from "@rollcast/shared/events";
import type { WorkloadIndex } from "../index/index-types.ts";
import { MAX_RECEIVERS, NOTIFY } from "../model/annotation-values.ts";
import { workloadKey } from "../model/workload.ts";
import type { RestarterMetrics } from "../metrics.ts";
import type { OutboxEvent } from "../model/workload-record.ts";

/** Publishes outcomes as events; resolves when the stream has stored the event. */
export function createOutcomePublisher(
  nats: Nats,
  cluster: string,
  index: Pick<WorkloadIndex, "get">,
  signal: AbortSignal,
): (decided: OutboxEvent) => Promise<void> {
  return async (decided) => {
    const parts = { id: decided.id, cluster, service: "restarter", time: decided.time };
    const workload = index.get(workloadKey(decided.data.workload));
    const data = { ...decided.data, ...notifyOf(workload?.annotations) };
    const event = rolloutEvent(parts, decided.outcome, data);
    const subject = rolloutSubject(cluster, decided.outcome, decided.data.workload);
    await publish(nats, subject, { ...event, ...carried(), ...tracedBy(decided) }, signal);
  };
}

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
function tracedBy({ traceparent }: OutboxEvent): { traceparent?: string } {
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

const MAX_NAME = 63;

/**
 * The annotation as an event field. Names are passed on unchanged: only the notifier knows its
 * receivers.
 */
export function notifyOf(
  annotations: Readonly<Record<string, string>> | undefined,
): Pick<RolloutData, "notify"> {
  const names = (annotations?.[NOTIFY] ?? "")
    .split(",")
    .map((name) => name.trim().slice(0, MAX_NAME).toWellFormed())
    .filter((name) => name !== "");
  return names.length === 0 ? {} : { notify: [...new Set(names)].slice(0, MAX_RECEIVERS) };
}

/** Counts an outcome and how long its rollout took. */
export function countOutcome(metrics: RestarterMetrics, { outcome, data }: OutboxEvent): void {
  metrics.outcomes.inc({ outcome });
  if (data.durationMs !== undefined && outcome !== "stalled") {
    metrics.rolloutSeconds.observe({ outcome }, data.durationMs / 1_000);
  }
  if (data.changeToHealthyMs !== undefined) {
    metrics.changeToHealthySeconds.observe(data.changeToHealthyMs / 1_000);
  }
}
