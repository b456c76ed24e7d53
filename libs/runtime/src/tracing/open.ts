import { noTracer } from "../trace.ts";
import type { Tracing, TracingOptions } from "./tracing.ts";

/**
 * Traces where `OTEL_EXPORTER_OTLP_ENDPOINT` says where to; else neither the SDK nor the exporter
 * is loaded.
 */
export async function openTracing(options: TracingOptions): Promise<Tracing> {
  const { OTEL_EXPORTER_OTLP_ENDPOINT = "", OTEL_SDK_DISABLED = "" } = options.env;
  if (OTEL_EXPORTER_OTLP_ENDPOINT === "" || OTEL_SDK_DISABLED.toLowerCase() === "true") {
    return { tracer: () => noTracer, [Symbol.asyncDispose]: async () => undefined };
  }
  const { openOtlp } = await import("./otlp.ts");
  return openOtlp(options);
}
