import { expect, test } from "vitest";
import type { WorkloadKey } from "../model/workload.ts";
import { failingNotes } from "./reconciler.ts";

const keys = (count: number): WorkloadKey[] =>
  Array.from({ length: count }, (_, i): WorkloadKey => `Deployment/shop/web-${i}`);

test.each([
  [0, []],
  [1, ["reconciling fails, and is tried again: Deployment/shop/web-0"]],
  [
    5,
    [
      "reconciling fails, and is tried again: Deployment/shop/web-0, Deployment/shop/web-1, Deployment/shop/web-2 and 2 more",
    ],
  ],
])("%d failing workloads make the notes %j", (count, notes) => {
  expect(failingNotes({ failing: () => keys(count) })).toEqual(notes);
});
