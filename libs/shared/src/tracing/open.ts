import type { Env } from "../config/load.ts";
import type { Logger } from "../logger.ts";
import { noTracer } from "../trace.ts";
import type { Tracer } from "../trace.ts";

/** Disposal sends what is not sent yet. */
export type Tracing = AsyncDisposable & {
  /** The tracer of one service in this process. */
  tracer(service: string): Tracer;
};

export type TracingOptions = {
  readonly env: Env;
  readonly cluster: string;
  readonly logger: Logger;
};

/** Traces where `OTEL_EXPORTER_OTLP_ENDPOINT` says where to; else neither the SDK nor the exporter is loaded. */
export async function openTracing(options: TracingOptions): Promise<Tracing> {
  const { OTEL_EXPORTER_OTLP_ENDPOINT = "", OTEL_SDK_DISABLED = "" } = options.env;
  if (OTEL_EXPORTER_OTLP_ENDPOINT === "" || OTEL_SDK_DISABLED.toLowerCase() === "true") {
    return { tracer: () => noTracer, [Symbol.asyncDispose]: async () => undefined };
  }
  const { openOtlp } = await import("./otlp.ts");
  return openOtlp(options);
}
