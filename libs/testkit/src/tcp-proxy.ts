import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";

/**
 * A TCP proxy that can stop to pass bytes while connections stay open, as a network that swallows
 * packets does.
 */
export async function startTcpProxy(port: number): Promise<
  AsyncDisposable & {
    port: number;
    stall: () => void;
    /** Where connections go from now on; those that stand stay. */
    redirect: (port: number) => void;
  }
> {
  const sockets = new Set<Socket>();
  let target = port;
  let stalled = false;
  const server = createServer((near) => {
    const far = connect(target, "127.0.0.1");
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
    redirect: (next) => {
      target = next;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
