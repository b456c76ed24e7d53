import { expect, test } from "vitest";
import { ConfigError } from "@rollcast/shared/errors";
import { classifyAnswer, classifyError, retryAfter } from "./classify-answer.ts";
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
  { name: "seconds", header: "120", want: 120_000 },
  { name: "seconds with blanks around", header: " 5 ", want: 5_000 },
  { name: "zero", header: "0", want: 1_000 },
  { name: "huge seconds", header: "99999999999", want: 3_600_000 },
  { name: "more digits than a number holds", header: "9".repeat(400), want: 3_600_000 },
  { name: "a date", header: "Mon, 23 Nov 2026 03:00:30 GMT", want: 30_000 },
  { name: "a date of RFC 850", header: "Monday, 23-Nov-26 03:00:30 GMT", want: 30_000 },
  { name: "a date of asctime", header: "Mon Nov 23 03:00:30 2026", want: 30_000 },
  { name: "a past date", header: "Mon, 23 Nov 2020 03:00:30 GMT", want: 1_000 },
  { name: "a far date", header: "Mon, 23 Nov 2099 03:00:30 GMT", want: 3_600_000 },
  { name: "nothing", header: undefined, want: undefined },
  { name: "an empty header", header: "", want: undefined },
  { name: "junk", header: "soon", want: undefined },
  { name: "a negative number", header: "-5", want: undefined },
  { name: "a fraction", header: "1.5", want: undefined },
  { name: "hexadecimal", header: "0x10", want: undefined },
  { name: "an ISO date", header: "2026-11-23T03:00:30Z", want: undefined },
  { name: "an invalid date", header: "Mon, 99 Nov 2026 99:00:30 GMT", want: undefined },
  { name: "long junk", header: "x".repeat(10_000), want: undefined },
])("Retry-After: $name", ({ header, want }) => {
  expect(retryAfter(header, NOW)).toBe(want);
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
