import type { TracingOptions } from "./otlp.ts";

/**
 * Traces if `OTEL_EXPORTER_OTLP_ENDPOINT` is set; otherwise neither the SDK nor the exporter is
 * loaded, and the spans of `@opentelemetry/api` do nothing. Disposal sends what is not sent yet.
 */
export async function openTracing(options: TracingOptions): Promise<AsyncDisposable> {
  const { OTEL_EXPORTER_OTLP_ENDPOINT = "", OTEL_SDK_DISABLED = "" } = options.env;
  if (OTEL_EXPORTER_OTLP_ENDPOINT === "" || OTEL_SDK_DISABLED.toLowerCase() === "true") {
    return { [Symbol.asyncDispose]: async () => undefined };
  }
  const { openOtlp } = await import("./otlp.ts");
  return openOtlp(options);
}
