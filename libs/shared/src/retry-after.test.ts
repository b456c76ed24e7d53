import { expect, test } from "vitest";
import { parseRetryAfter } from "./retry-after.ts";

const NOW = Date.parse("2026-11-23T03:00:00.000Z");

test.each([
  { name: "seconds", header: "120", want: 120_000 },
  { name: "seconds with blanks around", header: " 5 ", want: 5_000 },
  { name: "zero", header: "0", want: 0 },
  { name: "huge seconds", header: "99999999999999999999", want: 1e23 },
  { name: "more digits than a number holds", header: "9".repeat(400), want: Infinity },
  { name: "a date", header: "Mon, 23 Nov 2026 03:00:30 GMT", want: 30_000 },
  { name: "a date of RFC 850", header: "Monday, 23-Nov-26 03:00:30 GMT", want: 30_000 },
  { name: "a date of asctime", header: "Mon Nov 23 03:00:30 2026", want: 30_000 },
  { name: "a past date", header: "Mon, 23 Nov 2020 03:00:30 GMT", want: 0 },
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
  expect(parseRetryAfter(header, NOW)).toBe(want);
});
