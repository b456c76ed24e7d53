import { once } from "node:events";
import { connect } from "node:net";
import { expect, test } from "vitest";
import { startHttpServer } from "./http-server.ts";
import type { HttpHandler } from "./http-server.ts";
import { createLogger } from "./logger.ts";

function start(handle: HttpHandler, lines: string[] = []) {
  const logger = createLogger("test", "info", { write: (line: string) => lines.push(line) });
  const limits = { requestTimeout: 10_000, maxHeaderSize: 8_192 };
  return startHttpServer({ host: "127.0.0.1", port: 0, ...limits, logger }, handle);
}

test("a reply has the status, the headers and a body whose length is told", async () => {
  await using server = await start(async () => ({
    status: 202,
    headers: { "x-thing": "1" },
    body: "\u00e4",
  }));
  const response = await fetch(`http://127.0.0.1:${server.port}`);
  expect(response.status).toBe(202);
  expect(response.headers.get("x-thing")).toBe("1");
  expect(response.headers.get("content-length")).toBe("2");
  expect(await response.text()).toBe("\u00e4");
});

test("an error of the handler is logged, and ends the connection", async () => {
  const lines: string[] = [];
  await using server = await start(() => Promise.reject(new Error("broken")), lines);
  await expect(fetch(`http://127.0.0.1:${server.port}`)).rejects.toThrow("fetch failed");
  expect(JSON.parse(lines[0] ?? "")).toMatchObject({
    level: "error",
    msg: "http request failed",
    err: { message: "broken" },
  });
});

test("the handler sees when its client has gone, and not before", async () => {
  const started = Promise.withResolvers<AbortSignal>();
  await using server = await start(async (_request, closed) => {
    started.resolve(closed);
    await once(closed, "abort");
    return { status: 200, headers: {} };
  });
  const socket = connect(server.port, "127.0.0.1");
  socket.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
  const closed = await started.promise;
  expect(closed.aborted).toBe(false);
  const aborted = once(closed, "abort");
  socket.destroy();
  await aborted;
});
