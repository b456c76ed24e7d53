import { createHash, randomUUID, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { parse as parseQuery, unescape } from "node:querystring";
import { stat } from "node:fs/promises";
import { openApiDocument } from "@rollcast/shared/api/openapi";
import type { ApiInfo } from "@rollcast/shared/api/openapi";
import { ProblemError, problemBody } from "@rollcast/shared/api/problem";
import type { ApiRoute } from "@rollcast/shared/api/route";
import type { ApiConfig } from "@rollcast/shared/config/api";
import { faultLines } from "@rollcast/runtime/config/faults";
import { startHttpServer } from "@rollcast/runtime/http-server";
import type { HttpReply, HttpServer } from "@rollcast/runtime/http-server";
import type { Metrics } from "@rollcast/runtime/metrics";
import type { z } from "zod";
import type { Logger } from "@rollcast/runtime/logger";
import { readSecret } from "@rollcast/runtime/files/read-secret";
import { ConfigError, TerminalError, toError } from "@rollcast/shared/errors";

type HttpApiOptions = FaultContext & {
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

function paramsOf(groups: Readonly<Record<string, string>> = {}): Record<string, string> {
  return Object.fromEntries(Object.entries(groups).map(([name, value]) => [name, unescape(value)]));
}

/**
 * Returns a lookup by method and path (without a query): the route, its path parameters, and all
 * methods of the path.
 */
export function createRouteTable(routes: readonly ApiRoute[]) {
  const patterns = routes.map((route) => ({
    route,
    pattern: new RegExp(`^${route.spec.path.replaceAll(/\{(\w+)\}/g, "(?<$1>[^/]+)")}$`),
  }));
  return (method: string | undefined, path: string) => {
    const matches = patterns.flatMap(({ route, pattern }) => {
      const match = pattern.exec(path);
      return match === null ? [] : [{ route, groups: match.groups }];
    });
    const match = matches.find(({ route }) => route.spec.method === method);
    const methods = matches.map(({ route }) => route.spec.method);
    return { route: match?.route, params: paramsOf(match?.groups), methods };
  };
}

const MAX_BODY_BYTES = 65_536;

/** Reads a JSON body of at most 64 KiB; undefined if there is none. Throws {@link ProblemError}. */
export async function readJson(request: IncomingMessage): Promise<unknown> {
  const { "content-type": type = "", "content-length": size = "0" } = request.headers;
  if (size === "0" && request.headers["transfer-encoding"] === undefined) return undefined;
  if (!/^application\/json *(?:;|$)/i.test(type)) {
    throw new ProblemError(415, "not-json", "send the body as Content-Type: application/json");
  }
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    // Reads a body that is too large to its end too: a client that is still sending when its
    // connection ends may never read the answer.
    for await (const chunk of request as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length <= MAX_BODY_BYTES) chunks.push(chunk);
    }
    if (length <= MAX_BODY_BYTES) return JSON.parse(Buffer.concat(chunks).toString());
  } catch {
    throw new ProblemError(400, "bad-request", "the request is malformed: send one JSON object");
  }
  throw new ProblemError(413, "too-large", `the body is larger than ${MAX_BODY_BYTES} bytes`);
}

type FaultContext = {
  /**
   * Why the service cannot answer now (`nats: not connected`): an unexpected error then is a 503.
   */
  readonly fault: () => string | undefined;
  readonly logger: Logger;
};

/** The problem where no route has the method; `methods` are those of the path. */
function notFound(methods: readonly string[]): ProblemError {
  return methods.length === 0
    ? new ProblemError(404, "no-such-path", "there is no such path: GET /openapi.json lists them")
    : new ProblemError(405, "method-not-allowed", `this path takes ${methods.join(", ")}`);
}

/** The problem that an error is to the client; one that is unexpected is logged with `data`. */
function problemOf({ fault, logger }: FaultContext, err: unknown, data: object) {
  if (err instanceof ProblemError) return err;
  logger.error({ err, ...data }, "api request failed");
  // One record of another version is no fault of the service, and its sentence names it.
  if (err instanceof TerminalError) return new ProblemError(500, "unreadable", err.message);
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
function problemReply(
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

const MIN_LENGTH = 16;

/** Lets in whoever has the token. */
type Guard = {
  /** Whether the `Authorization` header carries the token that the file holds now. */
  admits(authorization: string | undefined): Promise<boolean>;
};

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

async function readToken(file: string, key: string): Promise<Buffer> {
  const token = await readSecret({ file }, {}, key);
  if (token.length < MIN_LENGTH || /\s/.test(token)) {
    throw new ConfigError(
      `${key}: ${file} holds no token of the API: it must be one line of at least ${MIN_LENGTH} characters without blanks`,
    );
  }
  return digest(token);
}

/**
 * Reads the token in `file`, and again whenever the file changes, as Kubernetes replaces the files
 * of a Secret. Throws {@link ConfigError}, which names `key` of the configuration, where there is
 * none. Where a later one cannot be read, every request is refused.
 */
async function openGuard(file: string, key: string, logger: Logger): Promise<Guard> {
  const versionOf = async () => {
    // Follows links: of a mounted Secret, only the target of a link changes.
    const { ino, mtimeMs, size } = await stat(file);
    return `${ino} ${mtimeMs} ${size}`;
  };
  let wanted: Buffer | undefined = await readToken(file, key);
  let version = await versionOf().catch(() => "");
  const refresh = async () => {
    const now = await versionOf().catch(() => "");
    if (now === version) return;
    version = now;
    try {
      wanted = await readToken(file, key);
      logger.info({ file }, "api token reloaded");
    } catch (err) {
      wanted = undefined;
      logger.error(
        { err: toError(err), file },
        "api token cannot be read, all requests are refused",
      );
    }
  };
  return {
    async admits(authorization) {
      await refresh();
      const given = /^Bearer +(\S+)$/i.exec(authorization ?? "")?.[1];
      // Digests have one length, so the comparison takes the same time whatever was given.
      return given !== undefined && wanted !== undefined && timingSafeEqual(digest(given), wanted);
    },
  };
}
