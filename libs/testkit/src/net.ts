import { randomInt } from "node:crypto";
import { once } from "node:events";
import { connect, createServer } from "node:net";

/**
 * Below those that systems give to outgoing connections (from 32768 on Linux, from 49152
 * elsewhere): among them, a server that was killed could find its port taken by a connection of
 * anybody's when it starts again, its own clients' included.
 */
const PORTS = { from: 20_000, to: 32_768 };
const ATTEMPTS = 50;

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, "127.0.0.1");
  try {
    await once(server, "listening");
  } catch {
    return false;
  }
  server.close();
  await once(server, "close");
  return true;
}

/** A TCP port of 127.0.0.1 that was free a moment ago, and is nobody's but a server's. */
export async function freePort(): Promise<number> {
  for (let attempts = 0; attempts < ATTEMPTS; attempts++) {
    const port = randomInt(PORTS.from, PORTS.to);
    if (await isFree(port)) return port;
  }
  throw new Error(`${ATTEMPTS} ports from ${PORTS.from} to ${PORTS.to} are taken`);
}

/** Whether something accepts connections on `port`. */
export function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
