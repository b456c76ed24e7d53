import { context, diag, propagation } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import {
  defaultResource,
  detectResources,
  envDetector,
  resourceFromAttributes,
} from "@opentelemetry/resources";
import { BatchSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { withDeadline } from "@rollcast/async/deadline";
import type { Env } from "../config/load.ts";
import type { Logger } from "../logger.ts";
import { trace } from "../trace.ts";

export type TracingOptions = {
  readonly env: Env;
  readonly cluster: string;
  readonly logger: Logger;
};

const FLUSH_MS = 3_000;

function openProvider(service: string, cluster: string, exporter: OTLPTraceExporter) {
  const own = { "service.name": service, "k8s.cluster.name": cluster };
  return new TracerProvider({
    resource: defaultResource()
      .merge(resourceFromAttributes(own))
      .merge(detectResources({ detectors: [envDetector] })),
    spanProcessors: [new BatchSpanProcessor({ exporter })],
  });
}

/**
 * Sends spans by OTLP over HTTP as JSON (https://opentelemetry.io/docs/specs/otlp/); the exporter
 * reads the address from the environment. A tracer's name becomes its `service.name`, so that
 * services in one process stay apart.
 */
export function openOtlp({ cluster, logger }: TracingOptions): AsyncDisposable {
  const note = (message: string) =>
    logger.warn({ detail: message.slice(0, 300) }, "spans not sent");
  const ignore = () => undefined;
  diag.setLogger({ error: note, warn: note, info: ignore, debug: ignore, verbose: ignore });
  const exporter = new OTLPTraceExporter();
  const providers = new Map<string, TracerProvider>();
  trace.setGlobalTracerProvider({
    getTracer(service) {
      const provider = providers.get(service) ?? openProvider(service, cluster, exporter);
      providers.set(service, provider);
      return provider.getTracer("rollcast");
    },
  });
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  return {
    async [Symbol.asyncDispose]() {
      const flushes = [...providers.values()].map((provider) => provider.forceFlush());
      const sent = Promise.allSettled(flushes).then(() => exporter.shutdown());
      await withDeadline(FLUSH_MS, sent).catch(() => undefined);
      for (const api of [trace, context, propagation]) api.disable();
    },
  };
}
