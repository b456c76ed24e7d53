import { expect, test } from "vitest";
import { ConfigError } from "@rollcast/shared/errors";
import { classifyAnswer, classifyError } from "./classify-answer.ts";
import { AddressRefusedError } from "./guarded-fetch.ts";

const NOW = Date.parse("2026-11-23T03:00:00.000Z");

function expected(status: number): { kind: string; reason?: string } {
  if (status < 300) return { kind: "sent" };
  if (status < 400) return { kind: "refused", reason: "Redirect" };
  const reasons: Record<number, string> = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    410: "Gone",
    413: "TooLarge",
  };
  const reason = reasons[status];
  if (reason !== undefined) return { kind: "refused", reason };
  if ([408, 425, 429].includes(status) || status >= 500) {
    return { kind: "failed", reason: `Http${status}` };
  }
  return { kind: "refused", reason: "Rejected" };
}

test("every HTTP status has a send result", () => {
  for (let status = 200; status < 600; status++) {
    const result = classifyAnswer({ status, retryAfter: undefined, body: "" }, NOW);
    expect({ status, ...result }).toMatchObject({ status, ...expected(status) });
  }
});

test("Retry-After counts for 429 and 503 only", () => {
  for (let status = 200; status < 600; status++) {
    const result = classifyAnswer({ status, retryAfter: "7", body: "" }, NOW);
    const asks = status === 429 || status === 503;
    const want = asks ? { kind: "later", delayMs: 7_000 } : expected(status);
    expect({ status, ...result }).toMatchObject({ status, ...want });
  }
});

test.each([
  { header: "0", want: 1_000 },
  { header: "120", want: 120_000 },
  { header: "99999999999", want: 3_600_000 },
  { header: "9".repeat(400), want: 3_600_000 },
  { header: "Mon, 23 Nov 2020 03:00:30 GMT", want: 1_000 },
  { header: "Mon, 23 Nov 2099 03:00:30 GMT", want: 3_600_000 },
])("a receiver that asks for $header waits for $want ms", ({ header, want }) => {
  const result = classifyAnswer({ status: 429, retryAfter: header, body: "" }, NOW);
  expect(result).toMatchObject({ kind: "later", delayMs: want });
});

test("429 with junk in Retry-After uses an attempt", () => {
  const result = classifyAnswer({ status: 429, retryAfter: "soon", body: "" }, NOW);
  expect(result).toMatchObject({ kind: "failed", reason: "Http429" });
});

test("the quoted answer of a receiver is cut and masked", () => {
  const body = `see https://user:pw@h.example/x?token=abc ${"y".repeat(500)}`;
  const result = classifyAnswer({ status: 500, retryAfter: undefined, body }, NOW);
  const text = JSON.stringify(result);
  expect(text).not.toContain("abc");
  expect(text).not.toContain("pw");
  expect(text.length).toBeLessThan(400);
});

test("a refused address is final however deeply it is wrapped; a timeout and a reset are not", () => {
  const wrapped = new TypeError("fetch failed", {
    cause: new Error("connect", { cause: new AddressRefusedError("no") }),
  });
  expect(classifyError(wrapped)).toMatchObject({ kind: "refused", reason: "AddressRefused" });
  expect(classifyError(new DOMException("late", "TimeoutError"))).toMatchObject({
    kind: "failed",
    reason: "Timeout",
  });
  expect(classifyError(new ConfigError("secret file /a cannot be read"))).toMatchObject({
    kind: "failed",
    reason: "Configuration",
  });
  const reset = Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" });
  expect(classifyError(reset)).toMatchObject({ kind: "failed", reason: "Network" });
});
