import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { parse as parseQuery } from "node:querystring";
import { openApiDocument } from "@rollcast/shared/api/openapi";
import type { ApiInfo } from "@rollcast/shared/api/openapi";
import { ProblemError } from "@rollcast/shared/api/problem";
import type { ApiRoute } from "@rollcast/shared/api/route";
import type { ApiConfig } from "@rollcast/shared/config/api";
import { faultLines } from "@rollcast/runtime/config/faults";
import { startHttpServer } from "@rollcast/runtime/http-server";
import type { HttpReply, HttpServer } from "@rollcast/runtime/http-server";
import type { Metrics } from "@rollcast/runtime/metrics";
import type { z } from "zod";
import { notFound, problemOf, problemReply } from "./problems.ts";
import type { FaultContext } from "./problems.ts";
import { readJson } from "./read-json.ts";
import { createRouteTable } from "./route-table.ts";
import { openGuard } from "./token.ts";

export type HttpApiOptions = FaultContext & {
  readonly listen: ApiConfig["listen"];
  readonly tokenFile: string;
  /** Where the configuration names the file: `restarter.api.tokenFile`. */
  readonly tokenKey: string;
  readonly info: ApiInfo;
  readonly routes: readonly ApiRoute[];
  readonly metrics: Metrics;
};

function actorOf(request: IncomingMessage): string | undefined {
  const actor = request.headers["x-rollcast-actor"];
  return typeof actor === "string" && /^[\x20-\x7e]{1,128}$/.test(actor) ? actor : undefined;
}

function parsePart(schema: z.ZodType | undefined, value: unknown, part: string): unknown {
  if (schema === undefined) return undefined;
  const parsed = schema.safeParse(value ?? {});
  if (parsed.success) return parsed.data;
  const faults = faultLines(schema, parsed.error.issues).map((line) => `${part} ${line}`);
  throw new ProblemError(400, "bad-request", faults.join("; "), faults);
}

function json(status: number, value: unknown): HttpReply {
  const headers = { "content-type": "application/json; charset=utf-8" };
  return { status, headers, body: JSON.stringify(value) };
}

/**
 * Serves the routes, and their OpenAPI document at `/openapi.json`, to whoever has the bearer token
 * in `tokenFile`. Bodies are JSON of at most 64 KiB; every error is a problem (RFC 9457). The port
 * is logged as "api listening".
 */
export async function startApi(options: HttpApiOptions): Promise<HttpServer> {
  const { listen, routes, logger, metrics } = options;
  const guard = await openGuard(options.tokenFile, options.tokenKey, logger);
  const specs = routes.map(({ spec }) => spec);
  const document = openApiDocument(options.info, specs);
  const requests = metrics.counter("rollcast_api_requests_total", "Requests of the HTTP API", [
    "operation",
    "status",
  ]);
  const match = createRouteTable(routes);

  const handle = async (request: IncomingMessage, closed: AbortSignal) => {
    const requestId = randomUUID();
    const { method, url = "" } = request;
    const [path = ""] = url.split("?", 1);
    const { route, params, methods } = match(method, path);
    const operation = route?.spec.name ?? "other";

    const answer = async (): Promise<HttpReply> => {
      if (!(await guard.admits(request.headers.authorization))) {
        const detail = "send the token of this API: Authorization: Bearer TOKEN";
        throw new ProblemError(401, "unauthorized", detail);
      }
      if (path === "/openapi.json" && method === "GET") return json(200, document);
      if (route === undefined) throw notFound(methods);
      const { spec } = route;
      const actor = actorOf(request);
      const input = {
        params: parsePart(spec.params, params, "path"),
        query: parsePart(spec.query, parseQuery(url.slice(path.length + 1)), "query"),
        body: parsePart(spec.body, spec.body && (await readJson(request)), "body"),
        actor,
        signal: closed,
      };
      const result = await route.handle(input as Parameters<typeof route.handle>[0]);
      logger[method === "GET" ? "debug" : "info"]({ operation, actor, requestId }, "api request");
      if (spec.response === undefined) return { status: 204, headers: {} };
      // Parsed, so that nothing leaves that the contract does not name.
      return json(spec.status ?? 200, spec.response.parse(result));
    };

    const reply = await answer().catch((err: unknown) => {
      const problem = problemOf(options, err, { operation, requestId });
      return problemReply(problem, requestId, methods);
    });
    requests.inc({ operation, status: String(reply.status) });
    const headers = { ...reply.headers, "x-request-id": requestId, "cache-control": "no-store" };
    return { ...reply, headers };
  };

  const limits = { requestTimeout: 30_000, maxHeaderSize: 16_384 };
  const server = await startHttpServer({ ...listen, ...limits, logger }, handle);
  logger.info({ port: server.port }, "api listening");
  return server;
}
