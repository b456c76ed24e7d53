import { expect, test } from "vitest";
import { RetryLaterError, TerminalError, isAborted, toError } from "./errors.ts";

test.each([
  ["an abort", () => AbortSignal.abort().throwIfAborted(), true],
  [
    "a timeout of AbortSignal",
    () => {
      throw new DOMException("late", "TimeoutError");
    },
    true,
  ],
  [
    "a timeout of something else",
    () => {
      throw Object.assign(new Error("late"), { name: "TimeoutError" });
    },
    false,
  ],
  ["an abort with another reason", () => AbortSignal.abort("shutdown").throwIfAborted(), false],
  [
    "an error",
    () => {
      throw new TypeError("no");
    },
    false,
  ],
])("%s: isAborted", (_, act, aborted) => {
  let thrown: unknown;
  try {
    act();
  } catch (err) {
    thrown = err;
  }

  expect(isAborted(thrown)).toBe(aborted);
});

test("errors keep what their handlers need", () => {
  const cause = new Error("root");

  expect(new TerminalError("Gone", "it is gone", { cause })).toMatchObject({
    name: "TerminalError",
    reason: "Gone",
    message: "it is gone",
    cause,
  });
  expect(new RetryLaterError(500, "busy")).toMatchObject({ name: "RetryLaterError", delayMs: 500 });
});

test("whatever was thrown becomes an error", () => {
  const err = new Error("a");

  expect(toError(err)).toBe(err);
  expect(toError("b")).toMatchObject({ message: "b", cause: "b" });
  expect(toError(undefined)).toMatchObject({ message: "undefined" });
  expect(toError(Object.create(null))).toBeInstanceOf(Error);
});
