import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";

/** A message on its way through the proxy: published by the client, or delivered to it. */
export type ProxiedMessage = {
  readonly from: "client" | "server";
  readonly subject: string;
};

/** Messages that are kept back until `release`. */
type Hold = {
  /** Resolves when the first message is kept back. */
  readonly reached: Promise<void>;
  release(): void;
};

/** A proxy in front of a NATS server that can keep single messages back while others pass. */
export type NatsProxy = AsyncDisposable & {
  readonly url: string;
  /**
   * Keeps back each message for which `matches` returns true, of every connection; those of a
   * connection that ends meanwhile are lost. Replaces the hold before.
   */
  hold(matches: (message: ProxiedMessage) => boolean): Hold;
  /** Closes every connection; new ones are taken. */
  cut(): void;
};

const WITH_PAYLOAD = /^(?:H?PUB|H?MSG) /i;

/**
 * Splits the protocol into its operations, each with its payload.
 * https://docs.nats.io/reference/reference-protocols/nats-protocol
 */
function createSplitter(onOperation: (line: string, bytes: Buffer) => void) {
  let rest: Buffer = Buffer.alloc(0);
  return (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk]);
    for (;;) {
      const end = rest.indexOf("\r\n");
      if (end === -1) return;
      const line = rest.toString("latin1", 0, end);
      const payload = WITH_PAYLOAD.test(line) ? Number(line.split(" ").at(-1)) + 2 : 0;
      const size = end + 2 + payload;
      if (rest.length < size) return;
      onOperation(line, rest.subarray(0, size));
      rest = rest.subarray(size);
    }
  };
}

/** Starts a proxy of the server on `port` (plain text, this machine): everything is passed on. */
export async function startNatsProxy(port: number): Promise<NatsProxy> {
  const sockets = new Set<Socket>();
  let matches: (message: ProxiedMessage) => boolean = () => false;
  let reached = Promise.withResolvers<void>();
  let kept: { readonly to: Socket; readonly bytes: Buffer }[] = [];
  const pass = (from: ProxiedMessage["from"], to: Socket) =>
    createSplitter((line, bytes) => {
      const isMessage = WITH_PAYLOAD.test(line);
      if (isMessage && matches({ from, subject: line.split(" ")[1] ?? "" })) {
        kept.push({ to, bytes: Buffer.from(bytes) });
        reached.resolve();
      } else to.write(bytes);
    });
  const server = createServer((near) => {
    const far = connect(port, "127.0.0.1");
    for (const [from, to, side] of [
      [near, far, "client"],
      [far, near, "server"],
    ] as const) {
      sockets.add(from);
      from.on("data", pass(side, to));
      from.on("close", () => {
        sockets.delete(from);
        to.destroy();
      });
      from.on("error", () => undefined);
    }
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    cut,
    url: `nats://127.0.0.1:${(server.address() as AddressInfo).port}`,
    hold(next) {
      matches = next;
      const own = Promise.withResolvers<void>();
      reached = own;
      return {
        reached: own.promise,
        release() {
          matches = () => false;
          const released = kept;
          kept = [];
          for (const { to, bytes } of released) if (!to.destroyed) to.write(bytes);
        },
      };
    },
    async [Symbol.asyncDispose]() {
      server.close();
      cut();
      await once(server, "close");
    },
  };
}
