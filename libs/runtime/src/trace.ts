import { createRequire } from "node:module";
import type * as Api from "@opentelemetry/api";
import { toError } from "@rollcast/shared/errors";
import { mask } from "./mask.ts";

// The build that prom-client loads: the one for imports would be a second copy, of 1.7 MiB. Tracers
// made before a provider is set get it only through the `trace` of their own copy.
const api = createRequire(import.meta.url)("@opentelemetry/api") as typeof Api;
const { ROOT_CONTEXT, SpanStatusCode, context, propagation } = api;
export const { SpanKind, trace } = api;

const MAX_LINKS = 32;

/** Options of a span, whose causes are `traceparent`s as events, jobs and records hold them. */
export type TraceOptions = Omit<Api.SpanOptions, "links" | "root"> & {
  /** The cause; without a valid one, the active span; without that, the span begins a trace. */
  readonly parent?: string;
  /** Causes that were merged into this work: at most 32 are kept. */
  readonly links?: readonly (string | undefined)[];
};

/** Links each cause once, and not the span's own parent. */
function linksOf({ parent, links = [] }: TraceOptions): Api.Link[] {
  const others = [...new Set(links)].filter((link) => link !== parent);
  return others
    .map((traceparent) => propagation.extract(ROOT_CONTEXT, { traceparent }))
    .flatMap((cause) => trace.getSpanContext(cause) ?? [])
    .slice(0, MAX_LINKS)
    .map((spanContext) => ({ context: spanContext }));
}

function recordError(span: Api.Span, thrown: unknown): void {
  const { name, message } = toError(thrown);
  span.setAttribute("error.type", name);
  span.setStatus({ code: SpanStatusCode.ERROR, message: mask(message).slice(0, 256) });
}

/**
 * Does `work` in an active span, which ends with it. An error becomes the span's status, masked,
 * and is thrown on. Attributes must never hold a value of a Secret or ConfigMap.
 */
export function inSpan<T>(
  tracer: Api.Tracer,
  name: string,
  options: TraceOptions,
  work: () => Promise<T>,
): Promise<T> {
  const { parent, links: _traceparents, ...spanOptions } = options;
  const cause = propagation.extract(context.active(), { traceparent: parent });
  const links = linksOf(options);
  return tracer.startActiveSpan(name, { ...spanOptions, links }, cause, async (span) => {
    try {
      return await work();
    } catch (err) {
      recordError(span, err);
      throw err;
    } finally {
      span.end();
    }
  });
}

/**
 * `{traceparent}` of the active span (https://www.w3.org/TR/trace-context/#traceparent-header), for
 * another process to continue; empty if nothing is traced.
 */
export function carried(): { traceparent?: string } {
  const carrier: { traceparent?: string } = {};
  propagation.inject(context.active(), carrier);
  return carrier;
}

/** The active span in OpenTelemetry's names for log lines; empty if nothing is traced. */
export function logFields(): { trace_id?: string; span_id?: string } {
  const span = trace.getSpanContext(context.active());
  return span === undefined ? {} : { trace_id: span.traceId, span_id: span.spanId };
}
