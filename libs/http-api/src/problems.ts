import { ProblemError, problemBody } from "@rollcast/shared/api/problem";
import type { HttpReply } from "@rollcast/runtime/http-server";
import type { Logger } from "@rollcast/runtime/logger";

export type FaultContext = {
  /**
   * Why the service cannot answer now (`nats: not connected`): an unexpected error then is a 503.
   */
  readonly fault: () => string | undefined;
  readonly logger: Logger;
};

/** The problem where no route has the method; `methods` are those of the path. */
export function notFound(methods: readonly string[]): ProblemError {
  return methods.length === 0
    ? new ProblemError(404, "no-such-path", "there is no such path: GET /openapi.json lists them")
    : new ProblemError(405, "method-not-allowed", `this path takes ${methods.join(", ")}`);
}

/** The problem that an error is to the client; one that is unexpected is logged with `data`. */
export function problemOf({ fault, logger }: FaultContext, err: unknown, data: object) {
  if (err instanceof ProblemError) return err;
  logger.error({ err, ...data }, "api request failed");
  const reason = fault();
  return reason === undefined
    ? new ProblemError(500, "internal", "it failed here: look for the request id in the log")
    : new ProblemError(
        503,
        "unavailable",
        `retry later, something is not reachable now: ${reason}`,
      );
}

/** Replies with a problem; `methods` are those of the path. */
export function problemReply(
  problem: ProblemError,
  requestId: string,
  methods: readonly string[],
): HttpReply {
  const { status } = problem;
  const headers: Record<string, string> = { "content-type": "application/problem+json" };
  if (status === 401) headers["www-authenticate"] = "Bearer";
  if (status === 405) headers.allow = methods.join(", ");
  if (status === 503) headers["retry-after"] = "5";
  return { status, headers, body: JSON.stringify(problemBody(problem, requestId)) };
}
