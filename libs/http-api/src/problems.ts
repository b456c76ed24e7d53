import { ProblemError, problemBody } from "@rollcast/shared/api/problem";
import type { ApiRoute, RouteSpec } from "@rollcast/shared/api/route";
import type { FastifyError, FastifyReply, FastifyRequest } from "fastify";
import type { ApiInfo } from "@rollcast/shared/api/openapi";
import type { ApiConfig } from "@rollcast/shared/config/api";
import type { Logger } from "@rollcast/runtime/logger";
import type { Metrics } from "@rollcast/runtime/metrics";

/** What the client did wrong by the words of the framework. */
function clientProblem(err: FastifyError): ProblemError | undefined {
  if (err.statusCode === 413) {
    return new ProblemError(413, "too-large", `the body is larger than ${MAX_BODY_BYTES} bytes`);
  }
  if (err.statusCode === 415) {
    return new ProblemError(415, "not-json", "send the body as Content-Type: application/json");
  }
  if (err.statusCode !== undefined && err.statusCode >= 400 && err.statusCode < 500) {
    return new ProblemError(400, "bad-request", "the request is malformed: send one JSON object");
  }
  return undefined;
}

export function problemOf(
  options: HttpApiOptions,
  err: FastifyError,
  request: FastifyRequest,
): ProblemError {
  const problem = err instanceof ProblemError ? err : clientProblem(err);
  if (problem !== undefined) return problem;
  const fault = options.fault();
  const data = { err, requestId: request.id, route: request.routeOptions.url };
  options.logger.error(data, "api request failed");
  return fault === undefined
    ? new ProblemError(500, "internal", "it failed here: look for the request id in the log")
    : new ProblemError(503, "unavailable", `retry later, something is not reachable now: ${fault}`);
}

export async function sendProblem(reply: FastifyReply, problem: ProblemError): Promise<void> {
  if (problem.status === 401) reply.header("www-authenticate", "Bearer");
  if (problem.status === 503) reply.header("retry-after", "5");
  reply.code(problem.status).type("application/problem+json");
  // As bytes: to a text the framework would add a charset, which JSON has none of.
  await reply.send(Buffer.from(JSON.stringify(problemBody(problem, reply.request.id))));
}

function methodsOf(specs: readonly RouteSpec[], url: string): string[] {
  const path = url.split("?", 1)[0] ?? "";
  const matches = (spec: RouteSpec) =>
    new RegExp(`^${spec.path.replaceAll(/\{\w+\}/g, "[^/]+")}$`).test(path);
  return specs.filter(matches).map((spec) => spec.method);
}

export function notFound(
  specs: readonly RouteSpec[],
  request: FastifyRequest,
  reply: FastifyReply,
) {
  const allowed = methodsOf(specs, request.url);
  if (allowed.length === 0) {
    const detail = "there is no such path: GET /openapi.json lists them";
    return sendProblem(reply, new ProblemError(404, "no-such-path", detail));
  }
  reply.header("allow", allowed.join(", "));
  const detail = `this path takes ${allowed.join(", ")}`;
  return sendProblem(reply, new ProblemError(405, "method-not-allowed", detail));
}

export type HttpApiOptions = {
  readonly listen: ApiConfig["listen"];
  readonly tokenFile: string;
  /** Where the configuration names the file: `restarter.api.tokenFile`. */
  readonly tokenKey: string;
  readonly info: ApiInfo;
  readonly routes: readonly ApiRoute[];
  /**
   * Why the service cannot answer now (`nats: not connected`): an unexpected error then is a 503.
   */
  readonly fault: () => string | undefined;
  readonly metrics: Metrics;
  readonly logger: Logger;
};

export const MAX_BODY_BYTES = 65_536;
