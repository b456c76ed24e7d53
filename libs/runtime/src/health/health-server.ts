import type { IncomingMessage } from "node:http";
import { toError } from "@rollcast/shared/errors";
import { startHttpServer } from "../http-server.ts";
import type { HttpReply, HttpServer } from "../http-server.ts";
import { mask } from "../logger.ts";
import type { Logger } from "../logger.ts";
import type { Metrics } from "../metrics.ts";
import { withDeadline } from "@rollcast/async/deadline";

/** Says why something is not well (`redis: not connected`), or undefined where it is. */
export type Check = () => string | undefined | Promise<string | undefined>;

export type HealthOptions = {
  port: number;
  host?: string;
  metrics: Metrics;
  /** Ready: the service can do its work now. */
  ready: Readonly<Record<string, Check>>;
  /** Live: it works, or what keeps it from working would outlast a restart. */
  live: Readonly<Record<string, Check>>;
  /** What somebody should know though the service is ready: lines behind the `ok` of `/readyz`. */
  notes?: () => readonly string[];
  logger: Logger;
};

const CHECK_MS = 5_000;

async function outcome(check: Check): Promise<string | undefined> {
  try {
    return await withDeadline(CHECK_MS, Promise.resolve(check()));
  } catch (err) {
    return toError(err).message;
  }
}

async function faults(checks: Readonly<Record<string, Check>>): Promise<string[]> {
  const results = await Promise.all(
    Object.entries(checks).map(async ([name, check]) => {
      const fault = await outcome(check);
      // Anybody in the cluster may read it.
      return fault === undefined ? [] : [`${name}: ${mask(fault).replaceAll(/\s+/g, " ")}`];
    }),
  );
  return results.flat();
}

function text(status: number, body: string, headers = {}): HttpReply {
  return { status, body, headers: { "content-type": "text/plain; charset=utf-8", ...headers } };
}

async function health(
  checks: Readonly<Record<string, Check>>,
  notes: readonly string[] = [],
): Promise<HttpReply> {
  const lines = await faults(checks);
  return lines.length === 0
    ? text(200, ["ok", ...notes.map(mask)].map((line) => `${line}\n`).join(""))
    : text(503, `${lines.join("\n")}\n`);
}

async function answer(options: HealthOptions, request: IncomingMessage): Promise<HttpReply> {
  if (request.method !== "GET" && request.method !== "HEAD") {
    return text(405, "only GET\n", { allow: "GET, HEAD" });
  }
  const [path] = (request.url ?? "").split("?", 1);
  if (path === "/livez") return health(options.live);
  if (path === "/readyz") return health(options.ready, options.notes?.());
  if (path !== "/metrics") return text(404, "not found: /livez, /readyz or /metrics\n");
  const { metrics } = options;
  return text(200, await metrics.text(), { "content-type": metrics.contentType });
}

/**
 * Serves `GET /livez`, `/readyz` (200 `ok`, or 503 with a line per fault) and `/metrics`
 * (Prometheus text). Port 0 takes a free one; the port is logged as "http server listening".
 */
export async function startHealthServer(options: HealthOptions): Promise<HttpServer> {
  const { host = "0.0.0.0", port, logger } = options;
  const server = await startHttpServer(
    { host, port, logger, requestTimeout: 10_000, maxHeaderSize: 8_192 },
    (request) => answer(options, request),
  );
  logger.info({ port: server.port }, "http server listening");
  return server;
}
