import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { startNats } from "@rollcast/testkit/nats";
import type { NatsServer, NatsServerOptions } from "@rollcast/testkit/nats";
import { freePort } from "@rollcast/testkit/net";
import { sourceEvent } from "../src/events.ts";
import type { SourceEvent } from "../src/events.ts";
import { createLogger } from "../src/logger.ts";
import type { Logger } from "../src/logger.ts";
import { connectNats } from "../src/nats/connect.ts";
import type { Nats } from "../src/nats/connect.ts";
import { provision } from "../src/nats/provision.ts";
import { sourceSubject } from "../src/subjects.ts";
import type { Subject } from "../src/subjects.ts";

export const silent = createLogger("test", "silent");

export type LogLine = {
  readonly level: string;
  readonly msg: string;
  readonly [key: string]: unknown;
};

/** A logger that keeps its lines. */
export function recordingLogger(): { logger: Logger; lines: LogLine[] } {
  const lines: LogLine[] = [];
  const write = (line: string) => lines.push(JSON.parse(line) as LogLine);
  return { logger: createLogger("test", "trace", { write }), lines };
}

/** A nats-server with everything provisioned, and a client of it. */
export async function startBus(
  options: NatsServerOptions & { logger?: Logger } = {},
): Promise<AsyncDisposable & { server: NatsServer; nats: Nats; connect: () => Promise<Nats> }> {
  await using stack = new AsyncDisposableStack();
  const server = stack.use(await startNats(options));
  const logger = options.logger ?? silent;
  const dial = () => connectNats({ url: server.url, name: "test", logger });
  const nats = stack.use(await dial());
  await provision(nats, 1);
  const kept = stack.move();
  return {
    server,
    nats,
    connect: async () => kept.use(await dial()),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** An event of a change of the ConfigMap `shop/<name>`, and its subject. */
export function changeOf(name: string): { subject: Subject; event: SourceEvent } {
  const event = sourceEvent(
    { id: `id-${name}`, cluster: "prod", service: "watcher", time: Date.now() },
    "changed",
    {
      kind: "ConfigMap",
      namespace: "shop",
      name,
      uid: "u1",
      resourceVersion: "1",
      changedKeys: { added: [], changed: ["A"], removed: [] },
      reason: "data",
    },
  );
  return { subject: sourceSubject("prod", "changed", event.data), event };
}

/** A TCP proxy that can stop to pass bytes while connections stay open, as a network that swallows packets does. */
export async function startGate(
  port: number,
): Promise<AsyncDisposable & { port: number; stall: () => void }> {
  const sockets = new Set<Socket>();
  let stalled = false;
  const server = createServer((near) => {
    const far = connect(port, "127.0.0.1");
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on("data", (bytes) => {
        if (!stalled) to.write(bytes);
      });
      from.on("close", () => {
        if (!stalled) to.destroy();
      });
      from.on("error", () => undefined);
    }
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    stall: () => {
      stalled = true;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

/** A TCP proxy that is gone for a second when a connection through it asks Redis for INFO a second time: the first is the client's, to see that Redis is ready. */
export async function startTrapdoor(
  to: number,
): Promise<AsyncDisposable & { readonly port: number; readonly hasOpened: () => boolean }> {
  const port = await freePort();
  const sockets = new Set<Socket>();
  let again: NodeJS.Timeout | undefined;
  const open = () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    again = setTimeout(() => server.listen(port, "127.0.0.1"), 1_000);
  };
  const server = createServer((near) => {
    const far = connect(to, "127.0.0.1");
    sockets.add(near).add(far);
    let asked = 0;
    near.on("data", (bytes) => {
      asked += bytes.toString("latin1").toLowerCase().split("\r\ninfo\r\n").length - 1;
      if (asked < 2 || again !== undefined) far.write(bytes);
      else open();
    });
    far.on("data", (bytes) => near.write(bytes));
    near.on("close", () => far.destroy()).on("error", () => undefined);
    far.on("close", () => near.destroy()).on("error", () => undefined);
  }).listen(port, "127.0.0.1");
  await once(server, "listening");
  return {
    port,
    hasOpened: () => again !== undefined,
    async [Symbol.asyncDispose]() {
      clearTimeout(again);
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
