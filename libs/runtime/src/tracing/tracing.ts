import type { Env } from "../config/load.ts";
import type { Logger } from "../logger.ts";
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
