import { connect } from "node:net";
import { systemReason } from "../files/file-fault.ts";

export type ProbeAnswer =
  | { readonly status: number; readonly text: string }
  | { readonly fault: string };

const MAX_BYTES = 65_536;

function parse(bytes: Buffer): ProbeAnswer {
  const text = bytes.toString("utf8");
  const [, status] = /^HTTP\/1\.[01] (\d{3})/.exec(text) ?? [];
  const end = text.indexOf("\r\n\r\n");
  if (status === undefined || end < 0) return { fault: "no answer of HTTP" };
  return { status: Number(status), text: text.slice(end + 4) };
}

/**
 * GETs a path of this machine. By hand over a socket: a check starts a process every few seconds,
 * and the HTTP modules of Node would double what that costs. HTTP/1.0 has the server end the
 * connection, and a body without chunks.
 */
export function ask(port: number, path: string, timeoutMs: number): Promise<ProbeAnswer> {
  const { promise, resolve } = Promise.withResolvers<ProbeAnswer>();
  const chunks: Buffer[] = [];
  let length = 0;
  const socket = connect({ port, host: "127.0.0.1" });
  const end = (answer: ProbeAnswer) => {
    clearTimeout(timer);
    socket.destroy();
    resolve(answer);
  };
  const timer = setTimeout(() => {
    end({ fault: `no answer within ${timeoutMs / 1_000} s` });
  }, timeoutMs);
  socket.on("connect", () => socket.write(`GET ${path} HTTP/1.0\r\n\r\n`));
  socket.on("data", (chunk: Buffer) => {
    chunks.push(chunk);
    length += chunk.length;
    if (length > MAX_BYTES) end(parse(Buffer.concat(chunks)));
  });
  socket.on("end", () => end(parse(Buffer.concat(chunks))));
  socket.on("error", (err) => end({ fault: systemReason(err) }));
  return promise;
}
