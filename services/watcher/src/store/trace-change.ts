import { carried } from "@rollcast/runtime/trace";
import type { Tracer } from "@rollcast/runtime/trace";
import type { SourceRecord } from "@rollcast/shared/records";

/**
 * Calls `write` with the record. If the record has an event, that happens in a new trace, which
 * starts when the change arrived (`since`, `performance.now()`) and is stored in the record.
 */
export async function traceChange<R>(
  tracer: Tracer,
  record: SourceRecord,
  since: number | undefined,
  write: (record: SourceRecord) => Promise<R>,
): Promise<R> {
  if (record.state !== "pending") return write(record);
  const { traceparent: _before, ...untraced } = record;
  const { change, kind, namespace, name } = record;
  return tracer.span(
    `source ${change}`,
    {
      kind: "producer",
      startedAt: since === undefined ? undefined : Date.now() - (performance.now() - since),
      attributes: {
        "k8s.namespace.name": namespace,
        "rollcast.source": `${kind}/${namespace}/${name}`,
      },
    },
    () => write({ ...untraced, ...carried() }),
  );
}
