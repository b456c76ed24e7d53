import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Logger } from "./logger.ts";
import type { Metrics } from "./metrics.ts";

/** Says why something is not well (`redis: not connected`), or undefined where it is. */
export type Check = () => string | undefined | Promise<string | undefined>;

export type HealthOptions = {
  port: number;
  host?: string;
  metrics: Metrics;
  /** Ready: the service can do its work now. */
  ready: Readonly<Record<string, Check>>;
  /** Live: a restart would not help. Prove work, not that a process runs. */
  live: Readonly<Record<string, Check>>;
  logger: Logger;
};

async function faults(checks: Readonly<Record<string, Check>>): Promise<string[]> {
  const results = await Promise.all(
    Object.entries(checks).map(async ([name, check]) => {
      try {
        const fault = await check();
        return fault === undefined ? [] : [`${name}: ${fault}`];
      } catch (err) {
        return [`${name}: ${err instanceof Error ? err.message : String(err)}`];
      }
    }),
  );
  return results.flat();
}

/**
 * Serves `GET /livez`, `/readyz` (200 `ok`, or 503 with a line per fault) and `/metrics` (Prometheus text). Port 0 takes a free one; the port is
 * logged as "http server listening".
 */
export async function startHealth(
  options: HealthOptions,
): Promise<AsyncDisposable & { readonly port: number }> {
  const server = createServer(
    { requestTimeout: 10_000, headersTimeout: 10_000, maxHeaderSize: 8_192 },
    (req, res) => {
      const reply = (status: number, body: string, type = "text/plain; charset=utf-8") =>
        res.writeHead(status, { "content-type": type }).end(body);
      const health = async (checks: Readonly<Record<string, Check>>) => {
        const found = await faults(checks);
        if (found.length === 0) reply(200, "ok\n");
        else reply(503, `${found.join("\n")}\n`);
      };
      const handle = async () => {
        if (req.method !== "GET" && req.method !== "HEAD") reply(405, "only GET\n");
        else if (req.url === "/livez") await health(options.live);
        else if (req.url === "/readyz") await health(options.ready);
        else if (req.url === "/metrics") {
          reply(200, await options.metrics.text(), options.metrics.contentType);
        } else reply(404, "not found: /livez, /readyz or /metrics\n");
      };
      handle().catch((err: unknown) => {
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
      server.close();
      server.closeAllConnections();
      if (server.listening) await once(server, "close");
    },
  };
}
