import { expect, test } from "vitest";
import { KubeError, fromStatus } from "./kube-error.ts";

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

test.each([
  { seconds: 119, want: 119_000 },
  { seconds: 121, want: 120_000 },
  { seconds: 1e9, want: 120_000 },
  { seconds: Number.POSITIVE_INFINITY, want: 120_000 },
  { seconds: 0.5, want: 500 },
  { seconds: -1, want: undefined },
  { seconds: Number.NaN, want: undefined },
  { seconds: "60", want: undefined },
  { header: 1e12, seconds: 1, want: 120_000 },
  { header: -1, seconds: 1, want: undefined },
])("a wait of $seconds s in the Status, $header ms in the header, is $want ms", (example) => {
  const { seconds, header, want } = example;
  const status = { code: 429, details: { retryAfterSeconds: seconds } };

  expect(fromStatus(status, 429, header).retryAfterMs).toBe(want);
});

test.each([0, 42, 200, 700, 422.5])(
  "a code that is none of an error (%d) does not count",
  (code) => {
    expect(fromStatus({ code }, 503).status).toBe(503);
  },
);

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
