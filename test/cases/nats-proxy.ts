import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";

/** A message on its way to the server: its protocol line, and its payload with headers. */
type Publication = { readonly line: string; readonly payload: string };

/** A proxy in front of NATS that can keep chosen messages of its clients back. */
export type NatsProxy = AsyncDisposable & {
  readonly url: string;
  /** Closes every connection; new ones are taken. */
  cut(): void;
  /** From now on keeps back what matches, until {@link NatsProxy.release}. */
  hold(matches: (publication: Publication) => boolean): void;
  release(): void;
  /** How many messages are kept back. */
  held(): number;
};

const END = "\r\n";

/**
 * Splits what a client sends into protocol lines, those of messages with their payloads:
 * https://docs.nats.io/reference/reference-protocols/nats-protocol
 */
function splitter(onPart: (bytes: Buffer, publication: Publication | undefined) => void) {
  let rest = Buffer.alloc(0);
  return (bytes: Buffer) => {
    rest = Buffer.concat([rest, bytes]);
    for (let end = rest.indexOf(END); end !== -1; end = rest.indexOf(END)) {
      const line = rest.subarray(0, end).toString("utf8");
      const isMessage = /^H?PUB /i.test(line);
      const size = isMessage ? Number(line.split(/\s+/).at(-1)) + END.length : 0;
      const total = end + END.length + size;
      if (rest.length < total) return;
      const payload = rest.subarray(end + END.length, total).toString("utf8");
      onPart(rest.subarray(0, total), isMessage ? { line, payload } : undefined);
      rest = rest.subarray(total);
    }
  };
}

export async function startNatsProxy(port: number): Promise<NatsProxy> {
  const sockets = new Set<Socket>();
  let matches: (publication: Publication) => boolean = () => false;
  let held: (() => void)[] = [];
  const server = createServer((near) => {
    const far = connect(port, "127.0.0.1");
    const split = splitter((bytes, publication) => {
      const pass = () => void far.write(bytes);
      if (publication !== undefined && matches(publication)) held.push(pass);
      else pass();
    });
    near.on("data", split);
    far.on("data", (bytes: Buffer) => void near.write(bytes));
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
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
    url: `nats://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut,
    hold(next) {
      matches = next;
    },
    release() {
      matches = () => false;
      for (const pass of held) pass();
      held = [];
    },
    held: () => held.length,
    async [Symbol.asyncDispose]() {
      server.close();
      cut();
      await once(server, "close");
    },
  };
}
