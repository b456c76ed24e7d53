import { ROOT_CONTEXT, SpanKind, SpanStatusCode, diag, trace } from "@opentelemetry/api";
import type { Context, Span, Tracer as OtelTracer } from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import {
  defaultResource,
  detectResources,
  envDetector,
  resourceFromAttributes,
} from "@opentelemetry/resources";
import { BatchSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { toError } from "@rollcast/shared/errors";
import { mask } from "../mask.ts";
import { MAX_LINKS, currentSpan, parseTraceparent, runInSpan } from "../trace.ts";
import type { SpanContext, SpanOptions, Tracer } from "../trace.ts";
import type { Tracing, TracingOptions } from "./tracing.ts";

const FLUSH_MS = 3_000;
const KINDS = {
  internal: SpanKind.INTERNAL,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
};

function parentOf({ parent }: SpanOptions): Context {
  const context = parseTraceparent(parent) ?? currentSpan();
  if (context === undefined) return ROOT_CONTEXT;
  return trace.setSpanContext(ROOT_CONTEXT, { ...context, isRemote: parent !== undefined });
}

/** Each of them once, and not the span's own parent. */
function linksOf({ parent, links = [] }: SpanOptions): { context: SpanContext }[] {
  const others = [...new Set(links)].filter((link) => link !== parent).map(parseTraceparent);
  return others
    .filter((context) => context !== undefined)
    .slice(0, MAX_LINKS)
    .map((context) => ({ context }));
}

function noteError(span: Span, thrown: unknown): void {
  const { name, message } = toError(thrown);
  span.setAttribute("error.type", name);
  span.setStatus({ code: SpanStatusCode.ERROR, message: mask(message).slice(0, 256) });
}

function tracerOf(otel: OtelTracer): Tracer {
  return {
    async span(name, options, work) {
      const { kind = "internal", startedAt, attributes } = options;
      const span = otel.startSpan(
        name,
        {
          kind: KINDS[kind],
          links: linksOf(options),
          startTime: startedAt,
          attributes,
        },
        parentOf(options),
      );
      try {
        return await runInSpan(span.spanContext(), work);
      } catch (err) {
        noteError(span, err);
        throw err;
      } finally {
        span.end();
      }
    },
  };
}

/**
 * Sends spans by OTLP over HTTP as JSON (https://opentelemetry.io/docs/specs/otlp/); where to, the
 * exporter reads from the environment by itself.
 */
export function openOtlp({ cluster, logger }: TracingOptions): Tracing {
  const note = (message: string) =>
    logger.warn({ detail: message.slice(0, 300) }, "spans not sent");
  const ignore = () => undefined;
  diag.setLogger({ error: note, warn: note, info: ignore, debug: ignore, verbose: ignore });
  const exporter = new OTLPTraceExporter();
  const providers: TracerProvider[] = [];
  return {
    tracer(service) {
      const own = { "service.name": `rollcast-${service}`, "k8s.cluster.name": cluster };
      const provider = new TracerProvider({
        resource: defaultResource()
          .merge(resourceFromAttributes(own))
          .merge(detectResources({ detectors: [envDetector] })),
        spanProcessors: [new BatchSpanProcessor({ exporter })],
      });
      providers.push(provider);
      return tracerOf(provider.getTracer("rollcast"));
    },
    async [Symbol.asyncDispose]() {
      const late = Promise.withResolvers<void>();
      const timer = setTimeout(late.resolve, FLUSH_MS);
      const ends = providers.map((provider) => provider.forceFlush().catch(() => undefined));
      await Promise.race([Promise.all(ends), late.promise]);
      await Promise.race([exporter.shutdown().catch(() => undefined), late.promise]);
      clearTimeout(timer);
    },
  };
}
