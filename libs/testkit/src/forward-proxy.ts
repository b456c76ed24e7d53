import { once } from "node:events";
import { createServer, request } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import { connect } from "node:net";
import type { AddressInfo, Socket } from "node:net";

/** A forward proxy: every name is this machine to it. */
export type ForwardProxy = AsyncDisposable & {
  readonly port: number;
  /** What it was asked for: `CONNECT host:port` or `POST http://host:port/path`. */
  readonly requests: readonly string[];
  readonly credentials: readonly (string | undefined)[];
  /** Refuses from now on with this status. */
  refuse(status: number): void;
};

function forward(req: IncomingMessage, res: ServerResponse): void {
  const { port, pathname, search } = new URL(req.url ?? "");
  const path = `${pathname}${search}`;
  const onward = request({ port, path, method: req.method, headers: req.headers }, (answer) => {
    res.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(res);
  });
  onward.on("error", () => res.destroy());
  req.pipe(onward);
}

function tunnel(req: IncomingMessage, socket: Socket): void {
  const port = Number(req.url?.split(":").at(-1));
  const onward = connect(port, "127.0.0.1", () => {
    socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
    onward.pipe(socket).pipe(onward);
  });
  onward.on("error", () => socket.destroy());
  socket.on("error", () => onward.destroy());
}

export async function startForwardProxy(): Promise<ForwardProxy> {
  const requests: string[] = [];
  const credentials: (string | undefined)[] = [];
  let refusal: number | undefined;
  const note = (req: IncomingMessage) => {
    requests.push(`${req.method} ${req.url}`);
    credentials.push(req.headers["proxy-authorization"]);
  };
  const server = createServer((req, res) => {
    note(req);
    if (refusal === undefined) forward(req, res);
    else res.writeHead(refusal).end();
  });
  const sockets = new Set<Socket>();
  server.on("connect", (req: IncomingMessage, socket: Socket) => {
    note(req);
    sockets.add(socket);
    if (refusal === undefined) tunnel(req, socket);
    else socket.end(`HTTP/1.1 ${refusal} Refused\r\ncontent-length: 0\r\n\r\n`);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    requests,
    credentials,
    refuse(status) {
      refusal = status;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}
