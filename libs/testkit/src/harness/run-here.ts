import type { LocalProcess } from "./harness-types.ts";

/**
 * Runs what is otherwise a process in this one: as there, disposal fires the signal and then closes
 * what was opened, the newest first.
 */
export async function runHere<T extends object>(
  open: (place: LocalProcess) => Promise<T>,
): Promise<T & AsyncDisposable> {
  await using opening = new AsyncDisposableStack();
  const stack = opening.use(new AsyncDisposableStack());
  const stop = new AbortController();
  opening.defer(() => stop.abort());
  const opened = await open({ stack, signal: stop.signal });
  const kept = opening.move();
  return Object.assign(opened, { [Symbol.asyncDispose]: () => kept.disposeAsync() });
}
