import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingHttpHeaders, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { waitFor } from "./wait.ts";

export type Received = {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
};

/** What the receiver does with a request. */
export type TestAnswer = {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** Milliseconds before it answers. */
  readonly delayMs?: number;
  /**
   * Never answers, closes the connection hard, or answers with a body that has no end, a byte at a
   * time.
   */
  readonly instead?: "hang" | "reset" | "trickle";
};

/** A local HTTP server that keeps what it is sent. */
export type TestReceiver = AsyncDisposable & {
  readonly url: string;
  readonly port: number;
  readonly received: readonly Received[];
  /** From now on answers so; a function is asked for each request. */
  answer(next: TestAnswer | ((received: Received) => TestAnswer)): void;
  waitFor(predicate: (received: Received) => boolean, timeout?: number): Promise<Received>;
};

function reply(res: ServerResponse, answer: TestAnswer): void {
  if (answer.instead === "hang") return;
  if (answer.instead === "reset") {
    res.socket?.resetAndDestroy();
    return;
  }
  if (answer.instead === "trickle") {
    res.writeHead(answer.status ?? 200);
    const timer = setInterval(() => res.write("."), 200);
    res.once("close", () => clearInterval(timer));
    return;
  }
  setTimeout(() => {
    res.writeHead(answer.status ?? 200, answer.headers ?? {}).end(answer.body ?? "ok");
  }, answer.delayMs ?? 0);
}

/**
 * Answers every request so until told otherwise. `address` is one of this machine: 127.0.0.1 unless
 * told, which containers cannot reach.
 */
export async function startReceiver(
  first: TestAnswer = {},
  address = "127.0.0.1",
): Promise<TestReceiver> {
  const received: Received[] = [];
  let answer: TestAnswer | ((received: Received) => TestAnswer) = first;
  const server = createServer((req, res) => {
    const chunks: Buffer[] = [];
    req.on("data", (chunk: Buffer) => chunks.push(chunk));
    req.on("end", () => {
      const request: Received = {
        method: req.method ?? "",
        path: req.url ?? "",
        headers: req.headers,
        body: Buffer.concat(chunks).toString("utf8"),
        at: Date.now(),
      };
      received.push(request);
      reply(res, typeof answer === "function" ? answer(request) : answer);
    });
  }).listen(0, address);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${address}:${port}`,
    port,
    received,
    answer(next) {
      answer = next;
    },
    waitFor: (predicate, timeout = 30_000) =>
      waitFor(() => received.find(predicate), { timeout, message: "a request to the receiver" }),
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}
