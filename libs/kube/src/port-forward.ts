import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { Writable } from "node:stream";
import { readKubeConfig } from "./kube-target.ts";
import type { ConnectKubeOptions } from "./client.ts";
import { loadLibrary } from "./library.ts";

export type ForwardTarget = Pick<ConnectKubeOptions, "kubeconfig" | "context"> & {
  readonly namespace: string;
  readonly pod: string;
  readonly port: number;
};

/** A port of this machine's loopback that leads to a port of a pod, through the API server. */
export type Forward = AsyncDisposable & { readonly port: number };

/**
 * Forwards a free port to a pod's, one WebSocket for each connection (`pods/portforward`,
 * https://kubernetes.io/docs/reference/using-api/api-concepts/). A connection that the API server
 * or the pod refuses is closed, and `onError` gets the reason.
 */
export async function forwardPort(
  target: ForwardTarget,
  onError: (err: unknown) => void,
): Promise<Forward> {
  const { PortForward } = await loadLibrary();
  const forwarder = new PortForward(await readKubeConfig(target));
  const sockets = new Set<Socket>();
  const refused = (reason: string) => onError(new Error(reason));
  const carry = async (socket: Socket) => {
    const errors = new Writable({
      write(chunk: Buffer, _, done) {
        if (chunk.length > 0) refused(chunk.toString("utf8").slice(0, 1_024));
        done();
      },
    });
    const { namespace, pod, port } = target;
    const ws = await forwarder.portForward(namespace, pod, [port], socket, errors, socket);
    if (typeof ws === "function") return;
    ws.addEventListener("close", () => socket.end());
    socket.on("close", () => ws.close());
  };
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    carry(socket).catch((err: unknown) => {
      onError(err);
      socket.destroy();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
