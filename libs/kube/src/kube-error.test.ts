import { expect, test } from "vitest";
import { KubeError, fromStatus, parseRetryAfter } from "./kube-error.ts";

const NOW = Date.parse("2026-11-23T04:00:00Z");

test.each([
  { header: "0", want: 0 },
  { header: "7", want: 7_000 },
  { header: "Mon, 23 Nov 2026 04:00:30 GMT", want: 30_000 },
  { header: "Mon, 23 Nov 2026 03:00:00 GMT", want: 0 },
  { header: "soon", want: undefined },
  { header: undefined, want: undefined },
])("Retry-After $header is $want ms", ({ header, want }) => {
  expect(parseRetryAfter(header, NOW)).toBe(want);
});

test("a Status keeps its reason, message and the delay it asks for", () => {
  const status = {
    kind: "Status",
    code: 429,
    reason: "TooManyRequests",
    message: "slow down",
    details: { retryAfterSeconds: 3 },
  };

  expect(fromStatus(status, 500)).toMatchObject({
    status: 429,
    reason: "TooManyRequests",
    message: "slow down",
    retryAfterMs: 3_000,
  });
});

test.each([undefined, null, "text", 5, { reason: 1, message: {} }])(
  "what is no Status (%j) leaves the HTTP status",
  (body) => {
    expect(fromStatus(body, 503)).toMatchObject({ status: 503, reason: "Http503" });
  },
);

test("messages are bounded and hold no credentials", () => {
  const err = new KubeError(
    0,
    "X",
    `https://user:hunter2@host/ Bearer abc.def ${"x".repeat(5_000)}`,
  );

  expect(err.message.length).toBeLessThanOrEqual(1_024);
  expect(err.message).not.toContain("hunter2");
  expect(err.message).not.toContain("abc.def");
});
