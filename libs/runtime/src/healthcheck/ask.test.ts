import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { expect, test } from "vitest";
import { startHealthServer } from "../health/health-server.ts";
import { createLogger } from "../logger.ts";
import { createMetrics } from "../metrics.ts";
import { ask } from "./check.ts";

async function answering(respond: (socket: Socket) => void) {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    respond(socket);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

test("a service's own answers are read", async () => {
  let fault: string | undefined = "nats: not connected";
  await using health = await startHealthServer({
    port: 0,
    host: "127.0.0.1",
    metrics: createMetrics(),
    ready: { nats: () => fault, "redis (ü)": () => undefined },
    live: {},
    notes: () => ["nota bene ü"],
    logger: createLogger("test", "silent"),
  });
  const { port } = health;
  expect(await ask(port, "/readyz", 10_000)).toEqual({
    status: 503,
    text: "nats: nats: not connected\n",
  });
  fault = undefined;
  expect(await ask(port, "/readyz", 10_000)).toEqual({ status: 200, text: "ok\nnota bene ü\n" });
  expect(await ask(port, "/livez", 10_000)).toEqual({ status: 200, text: "ok\n" });
});

test("an answer that comes in pieces is one", async () => {
  await using server = await answering((socket) => {
    socket.on("data", () => {
      socket.write("HTTP/1.1 20");
      setImmediate(() => socket.end("0 OK\r\nX: y\r\n\r\nok\n"));
    });
  });
  expect(await ask(server.port, "/", 10_000)).toEqual({ status: 200, text: "ok\n" });
});

test.each<[string, (socket: Socket) => void, number, string]>([
  ["nothing is said", () => undefined, 50, "no answer within 0.05 s"],
  [
    "nothing is said and the end is",
    (socket) => void socket.resume().end(),
    10_000,
    "no answer of HTTP",
  ],
  [
    "something else is said",
    (socket) => void socket.resume().end("hello\r\n\r\n"),
    10_000,
    "no answer of HTTP",
  ],
  [
    "the connection is cut",
    (socket) => void socket.resetAndDestroy(),
    10_000,
    "connection reset by peer (ECONNRESET)",
  ],
])("where %s there is no answer", async (_, respond, timeoutMs, fault) => {
  await using server = await answering(respond);
  expect(await ask(server.port, "/", timeoutMs)).toEqual({ fault });
});

test("where nobody listens there is no answer", async () => {
  const { port } = await (async () => {
    await using server = await answering(() => undefined);
    return server;
  })();
  expect(await ask(port, "/", 10_000)).toEqual({ fault: "connection refused (ECONNREFUSED)" });
});

test("what does not end is cut", async () => {
  await using server = await answering((socket) => {
    socket.write("HTTP/1.1 200 OK\r\n\r\n");
    const more = () => {
      if (!socket.destroyed) socket.write("x".repeat(10_000), () => setImmediate(more));
    };
    more();
  });
  const answer = await ask(server.port, "/", 60_000);
  expect(answer).toMatchObject({ status: 200, text: expect.stringMatching(/^x{60000,}$/) });
});
