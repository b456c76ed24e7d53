import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";

/** A SOCKS5 server without authentication (RFC 1928); it connects to IPv4 addresses. */
export type SocksProxy = AsyncDisposable & {
  readonly port: number;
  /** What it was asked for: `CONNECT host:port`. */
  readonly requests: readonly string[];
};

const HEADER = 4;
const ADDRESS = 4;

async function nextBytes(socket: Socket): Promise<Buffer> {
  const [bytes] = (await once(socket, "data")) as [Buffer];
  return bytes;
}

async function serve(socket: Socket, requests: string[]): Promise<void> {
  await nextBytes(socket);
  socket.write(Buffer.from([5, 0]));
  const request = await nextBytes(socket);
  const host = [...request.subarray(HEADER, HEADER + ADDRESS)].join(".");
  const port = request.readUInt16BE(HEADER + ADDRESS);
  requests.push(`CONNECT ${host}:${port}`);
  const onward = connect(port, host);
  onward.on("error", () => socket.destroy());
  await once(onward, "connect");
  socket.write(Buffer.from([5, 0, 0, 1, 0, 0, 0, 0, 0, 0]));
  onward.pipe(socket).pipe(onward);
}

export async function startSocksProxy(): Promise<SocksProxy> {
  const requests: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    serve(socket, requests).catch(() => socket.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    requests,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
