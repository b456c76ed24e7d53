import { expect, test } from "vitest";
import { casesAroundPatch } from "./around-patch.ts";
import { unknownViolations } from "./explore.ts";
import { violationsOf } from "./oracle/oracle.ts";
import { scheduleText } from "./run/print.ts";
import { run } from "./run/run.ts";

/** Has no divisor in common with the number of others, places or faults, so all of them come. */
const EVERY = 41;

// All of them take minutes: `npm run model -- --around-patch`.
test("what happens around a patch, while something goes wrong, breaks nothing new", async () => {
  const news: string[] = [];
  let tried = 0;
  for (const [i, [config, schedule]] of [...casesAroundPatch()].entries()) {
    if (i % EVERY !== 0) continue;
    const done = await run(config, schedule);
    tried++;
    for (const { property, what } of unknownViolations(done, violationsOf(done.history))) {
      news.push(`${scheduleText(config, schedule)}\n${property}: ${what}`);
    }
  }

  expect(news).toEqual([]);
  expect(tried).toBeGreaterThan(100);
});
