import { useCluster } from "@rollcast/testkit/shared-cluster";
import { expect, test } from "vitest";
import { traceText } from "./model/against/print-trace.ts";
import { compare, isFine, sampleSchedules } from "./model/against/run.ts";
import { scheduleText } from "./model/against/schedule.ts";

/** Its ten have every kind, a partition, OnDelete and a quota. */
const SEED = 42;

test("the model allows what the real controllers do with ten schedules of writes", async () => {
  const compared = await compare(useCluster(), sampleSchedules(10, SEED));
  const wrong = compared
    .filter(({ result }) => !isFine(result))
    .map(
      (comparison) =>
        `${comparison.result}:\n${scheduleText(comparison.schedule)}\n${traceText(comparison.trace, comparison)}`,
    );

  expect(compared).toHaveLength(10);
  expect(wrong).toEqual([]);
});
