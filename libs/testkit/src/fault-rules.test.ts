import { describe, expect, test } from "vitest";
import { openRules } from "./fault-rules.ts";
import type { Rule } from "./fault-rules.ts";

const stall = { do: "stall" } as const;
const reset = { do: "reset" } as const;

describe("openRules", () => {
  test.each<[string, Rule, string, string, boolean]>([
    ["no condition", { fault: stall }, "GET", "/api/v1/pods", true],
    ["its method", { method: "PATCH", fault: stall }, "PATCH", "/x", true],
    ["another method", { method: "PATCH", fault: stall }, "GET", "/x", false],
    ["its path", { path: /pods\?watch/, fault: stall }, "GET", "/api/v1/pods?watch=1", true],
    ["another path", { path: /pods\?watch/, fault: stall }, "GET", "/api/v1/pods", false],
    ["no part of them", { share: 0, fault: stall }, "GET", "/x", false],
    ["no more times", { times: 0, fault: stall }, "GET", "/x", false],
  ])("%s", (_name, rule, method, target, matches) => {
    const fault = openRules([rule]).spend(method, target);

    expect(fault).toEqual(matches ? stall : undefined);
  });

  test("the first that matches holds, until it is used up", () => {
    const book = openRules([
      { method: "GET", fault: stall, times: 2 },
      { fault: reset, times: 2 },
    ]);

    const faults = ["GET", "POST", "GET", "GET", "GET"].map(
      (method) => book.spend(method, "/")?.do,
    );

    expect(faults).toEqual(["stall", "reset", "stall", "reset", undefined]);
  });

  test("looking uses nothing up", () => {
    const book = openRules([{ fault: stall, times: 1 }]);

    expect([book.look("GET", "/"), book.look("GET", "/"), book.spend("GET", "/")]).toEqual([
      stall,
      stall,
      stall,
    ]);
    expect(book.look("GET", "/")).toBeUndefined();
  });

  test("a share is that part of the requests", () => {
    const draws = [0.1, 0.5, 0.49, 0.9];
    const book = openRules([{ fault: stall, share: 0.5 }], () => draws.shift() ?? 1);

    expect([1, 2, 3, 4].map(() => book.spend("GET", "/") !== undefined)).toEqual([
      true,
      false,
      true,
      false,
    ]);
  });
});
