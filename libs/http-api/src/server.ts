import { randomUUID } from "node:crypto";
import type { AddressInfo } from "node:net";
import { openApiDocument } from "@rollcast/shared/api/openapi";
import type { ApiInfo } from "@rollcast/shared/api/openapi";
import { ApiProblem, problemBody } from "@rollcast/shared/api/problem";
import type { Route, RouteSpec } from "@rollcast/shared/api/route";
import type { ApiConfig } from "@rollcast/shared/config/api";
import { faultLines } from "@rollcast/runtime/config/faults";
import type { Logger } from "@rollcast/runtime/logger";
import type { Metrics } from "@rollcast/runtime/metrics";
import fastify from "fastify";
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { z } from "zod";
import { openGuard } from "./token.ts";

export type ApiOptions = {
  readonly listen: ApiConfig["listen"];
  readonly tokenFile: string;
  /** Where the configuration names the file: `restarter.api.tokenFile`. */
  readonly tokenKey: string;
  readonly info: ApiInfo;
  readonly routes: readonly Route[];
  /** Why the service cannot answer now (`nats: not connected`): an unexpected error then is a 503. */
  readonly fault: () => string | undefined;
  readonly metrics: Metrics;
  readonly logger: Logger;
};

const MAX_BODY_BYTES = 65_536;
const REQUEST_MS = 30_000;
const ACTOR = "x-rollcast-actor";

function actorOf(request: FastifyRequest): string | undefined {
  const told = request.headers[ACTOR];
  return typeof told === "string" && /^[\x20-\x7e]{1,128}$/.test(told) ? told : undefined;
}

function parsePart(schema: z.ZodType | undefined, value: unknown, part: string): unknown {
  if (schema === undefined) return undefined;
  const parsed = schema.safeParse(value ?? {});
  if (parsed.success) return parsed.data;
  const faults = faultLines(schema, parsed.error.issues).map((line) => `${part} ${line}`);
  throw new ApiProblem(400, "bad-request", faults.join("; "), faults);
}

/** What the client did wrong by the words of the framework. */
function clientProblem(err: FastifyError): ApiProblem | undefined {
  if (err.statusCode === 413) {
    return new ApiProblem(413, "too-large", `the body is larger than ${MAX_BODY_BYTES} bytes`);
  }
  if (err.statusCode === 415) {
    return new ApiProblem(415, "not-json", "send the body as Content-Type: application/json");
  }
  if (err.statusCode !== undefined && err.statusCode >= 400 && err.statusCode < 500) {
    return new ApiProblem(400, "bad-request", "the request is malformed: send one JSON object");
  }
  return undefined;
}

function problemOf(options: ApiOptions, err: FastifyError, request: FastifyRequest): ApiProblem {
  const known = err instanceof ApiProblem ? err : clientProblem(err);
  if (known !== undefined) return known;
  const fault = options.fault();
  const data = { err, requestId: request.id, route: request.routeOptions.url };
  options.logger.error(data, "api request failed");
  return fault === undefined
    ? new ApiProblem(500, "internal", "it failed here: look for the request id in the log")
    : new ApiProblem(503, "unavailable", `try again, something is not reachable now: ${fault}`);
}

async function sendProblem(reply: FastifyReply, problem: ApiProblem): Promise<void> {
  if (problem.status === 401) reply.header("www-authenticate", "Bearer");
  if (problem.status === 503) reply.header("retry-after", "5");
  reply.code(problem.status).type("application/problem+json");
  // As bytes: to a text the framework would add a charset, which JSON has none of.
  await reply.send(Buffer.from(JSON.stringify(problemBody(problem, reply.request.id))));
}

function addRoute(app: FastifyInstance, { spec, handle }: Route, logger: Logger): void {
  app.route({
    method: spec.method,
    url: spec.path.replaceAll(/\{(\w+)\}/g, ":$1"),
    async handler(request, reply) {
      const gone = new AbortController();
      request.raw.once("close", () => gone.abort());
      const actor = actorOf(request);
      const input = {
        params: parsePart(spec.params, request.params, "path"),
        query: parsePart(spec.query, request.query, "query"),
        body: parsePart(spec.body, request.body, "body"),
        actor,
        signal: gone.signal,
      };
      const result = await handle(input as Parameters<typeof handle>[0]);
      const level = spec.method === "GET" ? "debug" : "info";
      logger[level]({ operation: spec.name, actor, requestId: request.id }, "api request");
      if (spec.response === undefined) return reply.code(204).send();
      // Parsed, so that nothing leaves that the contract does not name.
      return reply.code(spec.status ?? 200).send(spec.response.parse(result));
    },
  });
}

function methodsOf(specs: readonly RouteSpec[], url: string): string[] {
  const path = url.split("?", 1)[0] ?? "";
  const matches = (spec: RouteSpec) =>
    new RegExp(`^${spec.path.replaceAll(/\{\w+\}/g, "[^/]+")}$`).test(path);
  return specs.filter(matches).map((spec) => spec.method);
}

function notFound(specs: readonly RouteSpec[], request: FastifyRequest, reply: FastifyReply) {
  const allowed = methodsOf(specs, request.url);
  if (allowed.length === 0) {
    const detail = "there is no such path: GET /openapi.json lists them";
    return sendProblem(reply, new ApiProblem(404, "no-such-path", detail));
  }
  reply.header("allow", allowed.join(", "));
  const detail = `this path takes ${allowed.join(", ")}`;
  return sendProblem(reply, new ApiProblem(405, "method-not-allowed", detail));
}

/**
 * Serves the routes, and their OpenAPI document at `/openapi.json`, to whoever has the bearer token in `tokenFile`. Bodies are JSON of at most 64 KiB;
 * every error is a problem (RFC 9457). The port is logged as "api listening".
 */
export async function startApi(
  options: ApiOptions,
): Promise<AsyncDisposable & { readonly port: number }> {
  const { listen, routes, logger, metrics } = options;
  const guard = await openGuard(options.tokenFile, options.tokenKey, logger);
  const specs = routes.map(({ spec }) => spec);
  const document = openApiDocument(options.info, specs);
  const requests = metrics.counter("rollcast_api_requests_total", "Requests of the HTTP API", [
    "operation",
    "status",
  ]);
  const operations = new Map(specs.map((one) => [`${one.method} ${one.path}`, one.name]));
  const app = fastify({
    bodyLimit: MAX_BODY_BYTES,
    requestTimeout: REQUEST_MS,
    forceCloseConnections: true,
    exposeHeadRoutes: false,
    logger: false,
    genReqId: () => randomUUID(),
    http: { maxHeaderSize: 16_384 },
  });
  app.addHook("onRequest", async (request, reply) => {
    reply.header("x-request-id", request.id).header("cache-control", "no-store");
    if (await guard.admits(request.headers.authorization)) return;
    const detail = "send the token of this API: Authorization: Bearer TOKEN";
    throw new ApiProblem(401, "unauthorized", detail);
  });
  app.addHook("onResponse", async (request, reply) => {
    const path = (request.routeOptions.url ?? "").replaceAll(/:(\w+)/g, "{$1}");
    const operation = operations.get(`${request.method} ${path}`) ?? "other";
    requests.inc({ operation, status: String(reply.statusCode) });
  });
  app.setErrorHandler<FastifyError>((err, request, reply) =>
    sendProblem(reply, problemOf(options, err, request)),
  );
  app.setNotFoundHandler((request, reply) => notFound(specs, request, reply));
  app.get("/openapi.json", () => document);
  for (const route of routes) addRoute(app, route, logger);
  await app.listen({ host: listen.host, port: listen.port });
  const { port } = app.server.address() as AddressInfo;
  logger.info({ port }, "api listening");
  return { port, [Symbol.asyncDispose]: () => app.close() };
}
