import { expect, test } from "vitest";
import { KubeError } from "./kube-error.ts";
import { faultOf, recover } from "./recovery.ts";

const backoff = { initial: 1_000, max: 8_000 };
const after = (err: unknown, failures: number) => recover(err, failures, backoff, () => 1);
const error = (status: number, reason: string, retryAfterMs?: number) =>
  new KubeError(status, reason, "what happened", { retryAfterMs });

test.each([
  {
    name: "an expired version is listed anew at once",
    err: error(410, "Expired"),
    failures: 1,
    want: { delayMs: 0, relist: true },
  },
  {
    name: "expired again and again, it waits",
    err: error(410, "Expired"),
    failures: 2,
    want: { delayMs: 2_000, relist: true },
  },
  {
    name: "a lost connection is resumed",
    err: error(0, "ECONNRESET"),
    failures: 1,
    want: { delayMs: 1_000, relist: false },
  },
  {
    name: "the wait is bounded",
    err: error(0, "ECONNREFUSED"),
    failures: 30,
    want: { delayMs: 8_000, relist: true },
  },
  {
    name: "after three failures it lists anew",
    err: error(500, "InternalError"),
    failures: 3,
    want: { delayMs: 4_000, relist: true },
  },
  {
    name: "Retry-After is kept to",
    err: error(429, "TooManyRequests", 5_000),
    failures: 1,
    want: { delayMs: 5_000, relist: false },
  },
  {
    name: "Retry-After below the backoff does not shorten it",
    err: error(429, "TooManyRequests", 10),
    failures: 2,
    want: { delayMs: 2_000, relist: false },
  },
  {
    name: "Retry-After is bounded",
    err: error(503, "X", 86_400_000),
    failures: 1,
    want: { delayMs: 120_000, relist: false },
  },
  {
    name: "a silent watch is resumed once",
    err: error(0, "Silent"),
    failures: 1,
    want: { delayMs: 0, relist: false },
  },
  {
    name: "silent again, it is listed anew",
    err: error(0, "Silent"),
    failures: 2,
    want: { delayMs: 2_000, relist: true },
  },
  {
    name: "what the handler throws is listed anew",
    err: new Error("x"),
    failures: 1,
    want: { delayMs: 1_000, relist: true },
  },
])("$name", ({ err, failures, want }) => {
  expect(after(err, failures)).toEqual(want);
});

test.each([
  { err: error(429, "TooManyRequests"), want: "429 TooManyRequests" },
  { err: error(0, "ECONNREFUSED"), want: "ECONNREFUSED" },
  { err: error(0, "Credentials"), want: "what happened" },
  { err: new TypeError("x"), want: "TypeError" },
  { err: "x", want: "unknown error" },
])("a fault in one line: $want", ({ err, want }) => {
  expect(faultOf(err)).toBe(want);
});
