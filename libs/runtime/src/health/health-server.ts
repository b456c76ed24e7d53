import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { toError } from "@rollcast/shared/errors";
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

type Reply = { status: number; body: string; headers?: Readonly<Record<string, string>> };

async function health(
  checks: Readonly<Record<string, Check>>,
  notes: readonly string[] = [],
): Promise<Reply> {
  const lines = await faults(checks);
  return lines.length === 0
    ? { status: 200, body: ["ok", ...notes.map(mask)].map((line) => `${line}\n`).join("") }
    : { status: 503, body: `${lines.join("\n")}\n` };
}

async function answer(options: HealthOptions, req: IncomingMessage): Promise<Reply> {
  if (req.method !== "GET" && req.method !== "HEAD") {
    return { status: 405, body: "only GET\n", headers: { allow: "GET, HEAD" } };
  }
  const [path] = (req.url ?? "").split("?", 1);
  if (path === "/livez") return health(options.live);
  if (path === "/readyz") return health(options.ready, options.notes?.());
  if (path !== "/metrics") {
    return { status: 404, body: "not found: /livez, /readyz or /metrics\n" };
  }
  const { metrics } = options;
  const headers = { "content-type": metrics.contentType };
  return { status: 200, body: await metrics.text(), headers };
}

/**
 * Serves `GET /livez`, `/readyz` (200 `ok`, or 503 with a line per fault) and `/metrics`
 * (Prometheus text). Port 0 takes a free one; the port is logged as "http server listening".
 */
export async function startHealthServer(
  options: HealthOptions,
): Promise<AsyncDisposable & { readonly port: number }> {
  const respond = async (req: IncomingMessage, res: ServerResponse) => {
    const { status, body, headers } = await answer(options, req);
    res.writeHead(status, { "content-type": "text/plain; charset=utf-8", ...headers }).end(body);
  };
  const server = createServer(
    { requestTimeout: 10_000, headersTimeout: 10_000, maxHeaderSize: 8_192 },
    (req, res) => {
      respond(req, res).catch((err: unknown) => {
        options.logger.error({ err }, "health request failed");
        res.destroy();
      });
    },
  );
  server.listen(options.port, options.host ?? "0.0.0.0");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  options.logger.info({ port }, "http server listening");
  return {
    port,
    async [Symbol.asyncDispose]() {
      const closed = Promise.withResolvers<void>();
      server.close(() => closed.resolve());
      server.closeAllConnections();
      await closed.promise;
    },
  };
}
