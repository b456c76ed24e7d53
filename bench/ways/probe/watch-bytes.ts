import { Socket } from "node:net";

/** What passes a socket of this process, in plain text also where the connection has TLS. */
export type ByteWatcher = {
  /** Called before the bytes are passed on to whoever reads them. */
  onRead(bytes: string): void;
  /** Called as the bytes are written. */
  onWrite(bytes: string): void;
};

type Chunk = Buffer | string;
type Prototype = {
  push(chunk: Chunk | null, ...rest: unknown[]): boolean;
  _write(chunk: Chunk, ...rest: unknown[]): void;
  _writev(chunks: readonly { readonly chunk: Chunk }[], ...rest: unknown[]): void;
};

function textOf(chunk: Chunk): string {
  return typeof chunk === "string" ? chunk : chunk.toString("latin1");
}

/**
 * Watches every socket from now on. A TLS socket takes the bytes from the connection's handle, so
 * that the socket beneath it passes none.
 */
export function watchBytes(watcher: ByteWatcher): void {
  const prototype = Socket.prototype as unknown as Prototype;
  const { push, _write, _writev } = prototype;
  prototype.push = function watchedPush(chunk, ...rest) {
    if (chunk !== null) watcher.onRead(textOf(chunk));
    return push.call(this, chunk, ...rest);
  };
  prototype._write = function watchedWrite(chunk, ...rest) {
    watcher.onWrite(textOf(chunk));
    _write.call(this, chunk, ...rest);
  };
  prototype._writev = function watchedWritev(chunks, ...rest) {
    watcher.onWrite(chunks.map(({ chunk }) => textOf(chunk)).join(""));
    _writev.call(this, chunks, ...rest);
  };
}
