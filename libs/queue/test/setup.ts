import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { Socket } from "node:net";
import { createLogger } from "@rollcast/runtime/logger";
import type { Logger } from "@rollcast/runtime/logger";
import { recordLogLines } from "@rollcast/testkit/log-lines";
import type { LogLine } from "@rollcast/testkit/log-lines";
import { freePort } from "@rollcast/testkit/net";

export const silent = createLogger("test", "silent");

/** A logger that keeps its lines. */
export function recordingLogger(): { logger: Logger; lines: LogLine[] } {
  const { destination, lines } = recordLogLines();
  return { logger: createLogger("test", "trace", destination), lines };
}

/**
 * A TCP proxy that is gone for a second when a connection through it asks Redis for INFO a second
 * time: the first is the client's, to see that Redis is ready.
 */
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
    let infoCount = 0;
    near.on("data", (bytes) => {
      infoCount += bytes.toString("latin1").toLowerCase().split("\r\ninfo\r\n").length - 1;
      if (infoCount < 2 || again !== undefined) far.write(bytes);
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
