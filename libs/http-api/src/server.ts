import { randomUUID } from "node:crypto";
import type { AddressInfo } from "node:net";
import { openApiDocument } from "@rollcast/shared/api/openapi";
import { ProblemError } from "@rollcast/shared/api/problem";
import type { ApiRoute } from "@rollcast/shared/api/route";
import { faultLines } from "@rollcast/runtime/config/faults";
import type { Logger } from "@rollcast/runtime/logger";
import fastify from "fastify";
import type { FastifyError, FastifyInstance, FastifyRequest } from "fastify";
import type { z } from "zod";
import { openGuard } from "./token.ts";
import { MAX_BODY_BYTES, notFound, problemOf, sendProblem } from "./problems.ts";
import type { HttpApiOptions } from "./problems.ts";

const REQUEST_MS = 30_000;
const ACTOR = "x-rollcast-actor";

function actorOf(request: FastifyRequest): string | undefined {
  const actor = request.headers[ACTOR];
  return typeof actor === "string" && /^[\x20-\x7e]{1,128}$/.test(actor) ? actor : undefined;
}

function parsePart(schema: z.ZodType | undefined, value: unknown, part: string): unknown {
  if (schema === undefined) return undefined;
  const parsed = schema.safeParse(value ?? {});
  if (parsed.success) return parsed.data;
  const faults = faultLines(schema, parsed.error.issues).map((line) => `${part} ${line}`);
  throw new ProblemError(400, "bad-request", faults.join("; "), faults);
}

function addRoute(app: FastifyInstance, { spec, handle }: ApiRoute, logger: Logger): void {
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

/**
 * Serves the routes, and their OpenAPI document at `/openapi.json`, to whoever has the bearer token
 * in `tokenFile`. Bodies are JSON of at most 64 KiB; every error is a problem (RFC 9457). The port
 * is logged as "api listening".
 */
export async function startApi(
  options: HttpApiOptions,
): Promise<AsyncDisposable & { readonly port: number }> {
  const { listen, routes, logger, metrics } = options;
  const guard = await openGuard(options.tokenFile, options.tokenKey, logger);
  const specs = routes.map(({ spec }) => spec);
  const document = openApiDocument(options.info, specs);
  const requests = metrics.counter("rollcast_api_requests_total", "Requests of the HTTP API", [
    "operation",
    "status",
  ]);
  const operations = new Map(specs.map((spec) => [`${spec.method} ${spec.path}`, spec.name]));
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
    throw new ProblemError(401, "unauthorized", detail);
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
