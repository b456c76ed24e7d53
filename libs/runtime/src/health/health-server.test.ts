import { once } from "node:events";
import { Agent, request } from "node:http";
import type { IncomingMessage } from "node:http";
import { connect } from "node:net";
import { expect, test } from "vitest";
import { startHealthServer } from "./health-server.ts";
import type { HealthOptions } from "./health-server.ts";
import { createLogger } from "../logger.ts";
import { createMetrics } from "../metrics.ts";

const silent = createLogger("test", "silent");

function start(options: Partial<HealthOptions> = {}) {
  const metrics = createMetrics();
  metrics.counter("rollcast_things_total", "Things").inc(7);
  return startHealthServer({
    port: 0,
    host: "127.0.0.1",
    metrics,
    ready: {},
    live: {},
    logger: silent,
    ...options,
  });
}

async function get(port: number, path: string, method = "GET") {
  const res = await fetch(`http://127.0.0.1:${port}${path}`, { method });
  return { status: res.status, body: await res.text(), headers: res.headers };
}

test("what has no fault is live and ready", async () => {
  await using server = await start({ ready: { nats: () => undefined } });

  expect(await get(server.port, "/livez")).toMatchObject({ status: 200, body: "ok\n" });
  expect(await get(server.port, "/readyz")).toMatchObject({ status: 200, body: "ok\n" });
});

test("every fault is a line of a 503, live and ready apart", async () => {
  const faults: { nats?: string } = { nats: "not connected" };
  await using server = await start({
    ready: {
      nats: () => faults.nats,
      redis: async () => "not connected",
      start: () => undefined,
    },
  });

  expect(await get(server.port, "/readyz")).toMatchObject({
    status: 503,
    body: "nats: not connected\nredis: not connected\n",
  });
  expect((await get(server.port, "/livez")).status).toBe(200);
  delete faults.nats;
  expect((await get(server.port, "/readyz")).body).toBe("redis: not connected\n");
});

test("a check that throws is a fault in one masked line, and the next request works", async () => {
  await using server = await start({
    live: {
      sync: () => {
        throw new Error("redis://:pw@redis\nis gone");
      },
      async: () => Promise.reject(new Error("boom")),
      ok: () => undefined,
    },
  });

  const { status, body } = await get(server.port, "/livez");

  expect(status).toBe(503);
  expect(body).toBe("sync: redis://***@redis is gone\nasync: boom\n");
  expect((await get(server.port, "/readyz")).status).toBe(200);
});

test("a check that never answers is a fault", { timeout: 20_000 }, async () => {
  await using server = await start({ live: { stuck: () => new Promise(() => undefined) } });

  expect(await get(server.port, "/livez")).toMatchObject({
    status: 503,
    body: "stuck: no answer in time\n",
  });
});

test("metrics are served as Prometheus reads them", async () => {
  await using server = await start();

  const { status, body, headers } = await get(server.port, "/metrics?name=x");

  expect(status).toBe(200);
  expect(headers.get("content-type")).toContain("text/plain");
  expect(body).toContain("rollcast_things_total 7");
});

test.each([
  ["/", 404],
  ["/livez/", 404],
  ["/readyz/x", 404],
  ["/metricsx", 404],
  ["/livez?verbose", 200],
])("GET %s is %d", async (path, status) => {
  await using server = await start();

  expect((await get(server.port, path)).status).toBe(status);
});

test.each(["POST", "PUT", "DELETE", "OPTIONS"])(
  "%s is 405, with what is allowed",
  async (method) => {
    await using server = await start();

    const answer = await get(server.port, "/livez", method);

    expect(answer.status).toBe(405);
    expect(answer.headers.get("allow")).toBe("GET, HEAD");
  },
);

test("HEAD has the status and no body", async () => {
  await using server = await start({ ready: { nats: () => "gone" } });

  expect(await get(server.port, "/readyz", "HEAD")).toMatchObject({ status: 503, body: "" });
});

test("metrics that cannot be made end the request, not the server", async () => {
  const broken = { ...createMetrics(), text: () => Promise.reject(new Error("no")) };
  await using server = await start({ metrics: broken });

  await expect(get(server.port, "/metrics")).rejects.toThrow("fetch failed");
  expect((await get(server.port, "/livez")).status).toBe(200);
});

test("a header that is too large is refused", async () => {
  await using server = await start();

  const res = await fetch(`http://127.0.0.1:${server.port}/livez`, {
    headers: { "x-large": "x".repeat(10_000) },
  });

  expect(res.status).toBe(431);
});

test("disposal ends open connections: kept alive, silent, and in the middle of a check", async () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const checking = Promise.withResolvers<void>();
  const server = await start({
    live: {
      slow: () => {
        checking.resolve();
        return new Promise(() => undefined);
      },
    },
  });
  const kept = await new Promise<IncomingMessage>((resolve, reject) => {
    request({ agent, port: server.port, path: "/readyz" }, resolve).on("error", reject).end();
  });
  kept.resume();
  await once(kept, "end");
  const silentSocket = connect(server.port, "127.0.0.1");
  await once(silentSocket, "connect");
  const pending = get(server.port, "/livez").catch((err: unknown) => err);
  await checking.promise;
  const ended = once(silentSocket, "close");

  await server[Symbol.asyncDispose]();

  await ended;
  expect(await pending).toBeInstanceOf(Error);
  agent.destroy();
  await expect(get(server.port, "/readyz")).rejects.toThrow("fetch failed");
});

test("a port that is taken is an error of the start", async () => {
  await using first = await start();

  await expect(start({ port: first.port })).rejects.toMatchObject({ code: "EADDRINUSE" });
});

test("the port is logged where it was chosen freely", async () => {
  const lines: string[] = [];
  const logger = createLogger("test", "info", { write: (line: string) => lines.push(line) });
  await using server = await start({ logger });

  expect(JSON.parse(lines[0] ?? "")).toMatchObject({
    port: server.port,
    msg: "http server listening",
  });
});
