import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, request as plainRequest } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import { Agent, request as secureRequest } from "node:https";
import type { AddressInfo } from "node:net";
import type { ClusterAccess } from "./write-kubeconfig.ts";
import { expiredEvent, failure, openRules } from "./fault-rules.ts";
import type { Fault, Rule } from "./fault-rules.ts";
import type { Live } from "./pass-answer.ts";
import { judge, passAnswer } from "./pass-answer.ts";

export type { Fault, Rule } from "./fault-rules.ts";

/**
 * A proxy in front of the API server that answers as a sick one would. It speaks plain HTTP to its
 * clients.
 */
export type FaultProxy = AsyncDisposable & {
  readonly url: string;
  /**
   * Replaces the rules; the first that matches holds. Answers under way are judged anew for
   * `stall`, `reset`, `garble` and `expire`.
   */
  rules(next: readonly Rule[]): void;
  /** Requests so far, by method and path (without query). */
  readonly requests: readonly {
    readonly method: string;
    readonly path: string;
    readonly at: number;
  }[];
  /** Closes every connection hard, also of watches. */
  cut(): void;
};

type Forward = (req: IncomingMessage, res: ServerResponse, fault: Fault | undefined) => void;

function openForward(
  target: Pick<ClusterAccess, "url" | "caFile">,
  agent: Agent | undefined,
  live: Set<Live>,
): Forward {
  const { host } = new URL(target.url);
  return (req, res, fault) => {
    const method = req.method ?? "GET";
    const path = req.url ?? "/";
    const options = { method, headers: { ...req.headers, host } };
    const onAnswer = (answer: IncomingMessage) => {
      if (fault?.do === "reset") {
        res.socket?.resetAndDestroy();
        return;
      }
      const exchange: Live = { method, target: path, res, answer, stalled: false };
      live.add(exchange);
      res.once("close", () => live.delete(exchange));
      passAnswer(exchange, fault);
    };
    const url = new URL(path, target.url);
    const upstream =
      agent === undefined
        ? plainRequest(url, options, onAnswer)
        : secureRequest(url, { ...options, agent }, onAnswer);
    // A client that leaves, also before the answer, must not leave a watch behind on the API
    // server.
    res.once("close", () => upstream.destroy());
    upstream.on("error", () => res.socket?.resetAndDestroy());
    req.pipe(upstream);
  };
}

function handle(
  forward: Forward,
  fault: Fault | undefined,
  req: IncomingMessage,
  res: ServerResponse,
): void {
  if (fault?.do === "answer") {
    const headers: Record<string, string> = { "content-type": "application/json" };
    if (fault.retryAfter !== undefined) headers["retry-after"] = String(fault.retryAfter);
    req.resume();
    res.writeHead(fault.status, headers).end(failure(fault.status, fault.message ?? "injected"));
  } else if (fault?.do === "expire") {
    res.writeHead(200, { "content-type": "application/json" }).end(expiredEvent());
  } else if (fault?.do === "stall" && fault.late !== true) req.resume();
  else if (fault?.do === "reset" && fault.late !== true) res.socket?.resetAndDestroy();
  else if (fault?.do === "delay") setTimeout(() => forward(req, res, fault), fault.ms);
  else if (fault?.do === "hold") {
    // Who has given up must not be heard later.
    void fault.until.then(() => res.destroyed || forward(req, res, fault));
  } else forward(req, res, fault);
}

/** Starts a proxy without rules: everything is passed on. */
export async function startFaultProxy(
  target: Pick<ClusterAccess, "url" | "caFile">,
): Promise<FaultProxy> {
  const secure = target.url.startsWith("https:");
  const agent = secure
    ? new Agent({ keepAlive: true, maxSockets: 200, ca: readFileSync(target.caFile) })
    : undefined;
  let book = openRules([]);
  const requests: { method: string; path: string; at: number }[] = [];
  const live = new Set<Live>();
  const forward = openForward(target, agent, live);

  const server = createServer((req, res) => {
    const method = req.method ?? "GET";
    const path = req.url ?? "/";
    requests.push({ method, path: path.split("?", 1)[0] ?? path, at: Date.now() });
    res.on("error", () => undefined);
    handle(forward, book.spend(method, path), req, res);
  });
  server.keepAliveTimeout = 60_000;
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const cut = () => {
    for (const exchange of live) exchange.res.socket?.resetAndDestroy();
    server.closeAllConnections();
  };
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    cut,
    rules(next) {
      book = openRules(next);
      for (const exchange of live) judge(exchange, book.look(exchange.method, exchange.target));
    },
    async [Symbol.asyncDispose]() {
      cut();
      server.close();
      agent?.destroy();
      await once(server, "close");
    },
  };
}
