import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { startNats } from "@rollcast/testkit/nats";
import { freePort } from "@rollcast/testkit/net";
import { startProcess } from "@rollcast/testkit/process";
import { startTcpProxy } from "@rollcast/testkit/tcp-proxy";
import { waitFor } from "@rollcast/testkit/wait";
import { expect, test } from "vitest";
import { ConfigError } from "@rollcast/shared/errors";
import { connectNats } from "../src/connect.ts";
import { recordingLogger, silent } from "./setup.ts";

const DISPOSAL_MS = 8_000;

test("waits for a server that starts later", async () => {
  const port = await freePort();
  const { logger, lines } = recordingLogger();
  const url = `nats://127.0.0.1:${port}`;
  const connecting = connectNats({ url, name: "test", logger });
  await waitFor(() => lines.some((line) => line.msg === "nats not reachable, retrying"));

  await using _server = await startNats({ port });
  await using nats = await connecting;

  expect(nats.fault()).toBeUndefined();
});

test("a wait for a server ends with the signal's reason, and no attempt follows", async () => {
  const accepted: string[] = [];
  const deaf = createServer((socket) => {
    accepted.push("connection");
    socket.on("error", () => undefined);
  }).listen(0, "127.0.0.1");
  await once(deaf, "listening");
  const { port } = deaf.address() as AddressInfo;
  const stop = new AbortController();
  const url = `nats://127.0.0.1:${port}`;
  const connecting = connectNats(
    { url, name: "test", logger: silent, timeoutMs: 500 },
    stop.signal,
  );
  await waitFor(() => accepted.length > 0);

  stop.abort(new Error("stop now"));

  await expect(connecting).rejects.toThrow("stop now");
  const before = accepted.length;
  await expect(
    connectNats({ url, name: "test", logger: silent }, AbortSignal.abort()),
  ).rejects.toMatchObject({ name: "AbortError" });
  expect(accepted.length).toBe(before);
  deaf.close();
});

const ACCOUNTS = `authorization { users: [ { user: ops, password: "4711:p@ss" } ] }`;

test("credentials in the URL are used, also ones with digits and special characters", async () => {
  await using server = await startNats({ config: ACCOUNTS });
  const url = `nats://ops:4711%3Ap%40ss@127.0.0.1:${server.port}`;

  await using nats = await connectNats({ url, name: "test", logger: silent });

  expect(nats.fault()).toBeUndefined();
});

test.each(["nats://ops:wrong@HOST", "nats://HOST"])(
  "refused credentials (%s) are a ConfigError that does not quote them",
  async (form) => {
    await using server = await startNats({ config: ACCOUNTS });
    const { logger, lines } = recordingLogger();
    const url = form.replace("HOST", `127.0.0.1:${server.port}`);

    const err: unknown = await connectNats({ url, name: "test", logger }).catch(
      (thrown: unknown) => thrown,
    );

    expect(err).toBeInstanceOf(ConfigError);
    expect(String((err as Error).message)).toBe("NATS refuses the credentials");
    expect(JSON.stringify(lines)).not.toContain("wrong");
  },
);

test("with tls:// nothing is said to a server that does not encrypt", async () => {
  const received: string[] = [];
  const plain = createServer((socket) => {
    socket.write('INFO {"version":"2.15.2","proto":1,"headers":true,"max_payload":1048576}\r\n');
    socket.on("data", (bytes) => received.push(bytes.toString()));
    socket.on("error", () => undefined);
  }).listen(0, "127.0.0.1");
  await once(plain, "listening");
  const { port } = plain.address() as AddressInfo;
  const { logger, lines } = recordingLogger();
  const stop = new AbortController();

  const connecting = connectNats(
    { url: `tls://ops:pw@127.0.0.1:${port}`, name: "test", logger },
    stop.signal,
  );
  const refused = await waitFor(() => lines.find((line) => line.msg.startsWith("nats not")));
  stop.abort();

  await expect(connecting).rejects.toMatchObject({ name: "AbortError" });
  expect(JSON.stringify(refused)).toContain("does not support 'tls'");
  expect(received).toEqual([]);
  plain.close();
});

test("an outage is a fault, and each reconnect is told to every listener that still listens", async () => {
  await using server = await startNats();
  const { logger, lines } = recordingLogger();
  await using nats = await connectNats({ url: server.url, name: "test", logger });
  const called: string[] = [];
  nats.onReconnect(() => {
    throw new Error("a listener fails");
  });
  const off = nats.onReconnect(() => called.push("first"));
  nats.onReconnect(() => called.push("second"));

  await server.kill();
  await waitFor(() => nats.fault() === "not connected");
  await server.restart();
  await waitFor(() => called.length === 2);
  expect(nats.fault()).toBeUndefined();
  off();
  await server.restart();
  await waitFor(() => called.length === 3);

  expect(called).toEqual(["first", "second", "second"]);
  expect(lines.map((line) => line.msg)).toContain("reconnect listener failed");
});

test("disposal flushes what was published", async () => {
  await using server = await startNats();
  await using reader = await connectNats({ url: server.url, name: "reader", logger: silent });
  const subscription = reader.nc.subscribe("x", { max: 100 });
  await reader.nc.flush();
  const nats = await connectNats({ url: server.url, name: "test", logger: silent });

  for (let i = 0; i < 100; i++) nats.nc.publish("x", String(i));
  await nats[Symbol.asyncDispose]();

  const got: string[] = [];
  for await (const msg of subscription) got.push(msg.string());
  expect(got).toHaveLength(100);
  expect(nats.fault()).toBe("not connected");
  await nats[Symbol.asyncDispose]();
});

test("disposal in an outage does not wait for the server", { timeout: DISPOSAL_MS }, async () => {
  await using server = await startNats();
  const nats = await connectNats({ url: server.url, name: "test", logger: silent });
  nats.nc.subscribe("x");
  await server.kill();
  await waitFor(() => nats.fault() !== undefined);

  await nats[Symbol.asyncDispose]();

  expect(nats.nc.isClosed()).toBe(true);
});

test(
  "disposal does not wait for a server that swallows everything",
  { timeout: DISPOSAL_MS },
  async () => {
    await using server = await startNats();
    await using proxy = await startTcpProxy(server.port);
    const url = `nats://127.0.0.1:${proxy.port}`;
    const nats = await connectNats({ url, name: "test", logger: silent });
    nats.nc.subscribe("x");
    await nats.nc.flush();
    proxy.stall();

    await nats[Symbol.asyncDispose]();

    expect(nats.nc.isClosed()).toBe(true);
  },
);

test("nothing holds the process after the disposal, also in an outage", async () => {
  await using server = await startNats();
  const module = (name: string) =>
    JSON.stringify(pathToFileURL(join(import.meta.dirname, "..", "src", name)).href);
  const lines: string[] = [];
  const script = `
    import { connectNats } from ${module("connect.ts")};
    import { provision } from ${module("provision.ts")};
    import { openKv } from ${module("kv.ts")};
    import { createLogger } from "@rollcast/runtime/logger";
    import { z } from "zod";
    const stop = new AbortController();
    const nats = await connectNats({ url: ${JSON.stringify(server.url)}, name: "child", logger: createLogger("child", "silent") });
    await provision(nats, 1);
    const kv = await openKv(nats, "sources", z.object({}));
    kv.listAndWatch({ signal: stop.signal, onEntry() {}, onSynced() {} });
    for await (const _ of kv.snapshot()) {}
    console.log("ready");
    process.stdin.once("data", async () => {
      process.stdin.destroy();
      stop.abort();
      await nats[Symbol.asyncDispose]();
      console.log("disposed");
    });
    process.once("SIGUSR2", () => process.stdin.emit("data"));
  `;
  for (const outage of [false, true]) {
    lines.length = 0;
    await using child = await startProcess(
      process.execPath,
      ["--input-type=module", "--eval", script],
      { cwd: join(import.meta.dirname, ".."), onLine: (line) => lines.push(line) },
    );
    await waitFor(() => lines.includes("ready"), { message: child.output() });
    if (outage) await server.kill();
    process.kill(child.pid, "SIGUSR2");

    expect(await child.exited).toBe(0);
    expect(lines).toEqual(["ready", "disposed"]);
  }
});
