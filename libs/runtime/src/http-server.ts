import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import type { Logger } from "./logger.ts";

export type HttpReply = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
};

/**
 * Answers a request. `closed` fires when the response is sent or its connection lost. An error is
 * logged and ends the connection.
 */
export type HttpHandler = (request: IncomingMessage, closed: AbortSignal) => Promise<HttpReply>;

export type HttpServerOptions = {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** How long a request may take to arrive, in ms. */
  readonly requestTimeout: number;
  /** The largest size of a request's headers, in bytes. */
  readonly maxHeaderSize: number;
  readonly logger: Logger;
};

/** An HTTP server; disposal ends its open connections. */
export type HttpServer = AsyncDisposable & { readonly port: number };

/** Starts a server; throws an error with a `code` (`EADDRINUSE`) if it cannot listen. */
export async function startHttpServer(
  { host, port, logger, ...limits }: HttpServerOptions,
  handle: HttpHandler,
): Promise<HttpServer> {
  const server = createServer(limits, async (request, response) => {
    const closed = new AbortController();
    response.once("close", () => closed.abort());
    try {
      const { status, headers, body } = await handle(request, closed.signal);
      response.setHeaders(new Map(Object.entries(headers)));
      response.statusCode = status;
      response.end(body);
    } catch (err) {
      logger.error({ err }, "http request failed");
      response.destroy();
    }
  });
  server.listen(port, host);
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      const ended = Promise.withResolvers<void>();
      server.close(() => ended.resolve());
      server.closeAllConnections();
      await ended.promise;
    },
  };
}
