import { SpanKind, carried, inSpan, trace } from "@rollcast/runtime/trace";
import type { SourceRecord } from "@rollcast/shared/records";

const tracer = trace.getTracer("rollcast-watcher");

/**
 * Calls `write` with the record. If the record has an event, that happens in a new trace, which
 * starts when the change arrived (`since`, `performance.now()`) and is stored in the record.
 */
export async function traceChange<R>(
  record: SourceRecord,
  since: number | undefined,
  write: (record: SourceRecord) => Promise<R>,
): Promise<R> {
  if (record.state !== "pending") return write(record);
  const { traceparent: _before, ...untraced } = record;
  const { change, kind, namespace, name } = record;
  return inSpan(
    tracer,
    `source ${change}`,
    {
      kind: SpanKind.PRODUCER,
      startTime: since === undefined ? undefined : Date.now() - (performance.now() - since),
      attributes: {
        "k8s.namespace.name": namespace,
        "rollcast.source": `${kind}/${namespace}/${name}`,
      },
    },
    () => write({ ...untraced, ...carried() }),
  );
}
