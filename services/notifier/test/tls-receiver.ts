import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createSecureServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { repositoryRoot } from "@rollcast/testkit/binaries";

/** The folder of a certificate for `localhost` that nobody has signed but itself. */
export const TLS = join(repositoryRoot(), "test", "fixtures", "tls");

/** A receiver at https://localhost, which its certificate is for; it offers HTTP/2. */
export async function startTlsReceiver() {
  const [cert, key] = await Promise.all(
    ["test.crt", "test.key"].map((name) => readFile(join(TLS, name))),
  );
  const paths: string[] = [];
  const versions = new Set<string>();
  const server = createSecureServer({ cert, key, allowHTTP1: true }, (req, res) => {
    paths.push(req.url);
    versions.add(req.httpVersion);
    req.resume().on("end", () => res.end("ok"));
  }).listen(0, "127.0.0.1");
  const sockets = new Set<Disposable>();
  server.on("connection", (socket) => {
    sockets.add({ [Symbol.dispose]: () => socket.destroy() });
  });
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    paths,
    versions,
    async [Symbol.asyncDispose]() {
      server.close();
      for (const socket of sockets) socket[Symbol.dispose]();
      await once(server, "close");
    },
  };
}
