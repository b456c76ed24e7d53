import { expect, test } from "vitest";
import { retry } from "./retry.ts";

const backoff = { initial: 1, max: 4 };

/** Fails so many times, then gives its number of calls. */
function failing(times: number, err: unknown = new Error("not yet")) {
  let calls = 0;
  return async () => {
    if (++calls <= times) throw err;
    return calls;
  };
}

test("work is repeated until it succeeds, and each failure is told", async () => {
  const failures: [unknown, number][] = [];
  const onFailure = (err: unknown, attempt: number) => void failures.push([err, attempt]);
  // A TypeError too: it may be the client library's, in an outage.
  const err = new TypeError("undefined is not an object");
  expect(await retry(failing(3, err), { backoff, onFailure })).toBe(4);
  expect(failures).toEqual([
    [err, 1],
    [err, 2],
    [err, 3],
  ]);
});

test("what onFailure throws ends it", async () => {
  const onFailure = (err: unknown) => {
    throw err;
  };
  await expect(retry(failing(1), { backoff, onFailure })).rejects.toThrow("not yet");
});

test("what onFailure returns is waited instead of the backoff", async () => {
  const long = { initial: 3_600_000, max: 3_600_000 };
  expect(await retry(failing(2), { backoff: long, onFailure: () => 1 })).toBe(3);
});

test("a signal ends it with its reason: before, while it works and while it waits", async () => {
  const reason = new Error("stopped");
  const onFailure = () => undefined;
  const stopped = { backoff, signal: AbortSignal.abort(reason), onFailure };
  await expect(retry(failing(0), stopped)).rejects.toBe(reason);

  const working = new AbortController();
  const aborting = async () => {
    working.abort(reason);
    throw new Error("of the work");
  };
  await expect(retry(aborting, { backoff, signal: working.signal, onFailure })).rejects.toBe(
    reason,
  );

  const waiting = new AbortController();
  const long = { initial: 60_000, max: 60_000 };
  const soon = () => void setImmediate(() => waiting.abort(reason));
  const options = { backoff: long, signal: waiting.signal, onFailure: soon };
  await expect(retry(failing(1), options)).rejects.toBe(reason);
});
