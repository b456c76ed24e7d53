import { expect, test } from "vitest";
import { endedWith } from "./workload-record.ts";

test("of rollouts that ended the newest are known, each once", () => {
  expect(endedWith({}, "a")).toEqual(["a"]);
  expect(endedWith({ ended: ["a", "b"] }, "a")).toEqual(["b", "a"]);
  expect(endedWith({ ended: ["a", "b", "c", "d"] }, "e")).toEqual(["b", "c", "d", "e"]);
});
