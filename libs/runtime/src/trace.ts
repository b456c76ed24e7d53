import { AsyncLocalStorage } from "node:async_hooks";

/** Which span the work in flight belongs to. */
export type SpanContext = {
  readonly traceId: string;
  readonly spanId: string;
  readonly traceFlags: number;
};

export type SpanOptions = {
  readonly kind?: "internal" | "client" | "producer" | "consumer";
  /**
   * The `traceparent` that it follows from; else the span that is under way; else it begins a
   * trace.
   */
  readonly parent?: string;
  /**
   * Other causes that were merged into this work: `traceparent`s, at most {@link MAX_LINKS} are
   * kept.
   */
  readonly links?: readonly (string | undefined)[];
  /** Milliseconds since the epoch, where it began before now. */
  readonly startedAt?: number;
  /** Never a value of a Secret or ConfigMap. */
  readonly attributes?: Readonly<Record<string, string | number | boolean>>;
};

export type Tracer = {
  /** Does `work` as a span, which ends with it; an error is noted and thrown on. */
  span<T>(name: string, options: SpanOptions, work: () => Promise<T>): Promise<T>;
};

export const MAX_LINKS = 32;

/** Of a service that traces nothing. */
export const noTracer: Tracer = { span: (_name, _options, work) => work() };

const current = new AsyncLocalStorage<SpanContext>();

const PARENT =
  /^[0-9a-f]{2}-(?<traceId>[0-9a-f]{32})-(?<spanId>[0-9a-f]{16})-(?<flags>[0-9a-f]{2})$/;

/**
 * A `traceparent` of W3C Trace Context (https://www.w3.org/TR/trace-context/#traceparent-header);
 * undefined where it is none.
 */
export function parseTraceparent(text: string | undefined): SpanContext | undefined {
  const { traceId = "", spanId = "", flags = "" } = PARENT.exec(text ?? "")?.groups ?? {};
  if (/^0*$/.test(traceId) || /^0*$/.test(spanId)) return undefined;
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16) };
}

function formatTraceparent({ traceId, spanId, traceFlags }: SpanContext): string {
  return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, "0")}`;
}

/** The span that is under way; undefined where nothing is traced. */
export function currentSpan(): SpanContext | undefined {
  return current.getStore();
}

export function runInSpan<T>(span: SpanContext, work: () => T): T {
  return current.run(span, work);
}

/**
 * `{traceparent}` of the span that is under way, for what another process goes on with; empty where
 * nothing is traced.
 */
export function carried(): { traceparent?: string } {
  const span = current.getStore();
  return span === undefined ? {} : { traceparent: formatTraceparent(span) };
}

/** What log lines say of the span that is under way, by the names of OpenTelemetry. */
export function logFields(): { trace_id?: string; span_id?: string } {
  const span = current.getStore();
  return span === undefined ? {} : { trace_id: span.traceId, span_id: span.spanId };
}
