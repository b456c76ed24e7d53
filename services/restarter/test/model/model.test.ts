import { expect, test } from "vitest";
import { explore, foundText } from "./explore.ts";
import { PROPERTIES } from "./oracle/oracle.ts";

const BUDGET_MS = 5_000;
/** Each makes the same schedules everywhere; new seeds are tried by `npm run model`. */
const SEEDS_EACH = 12;
/** The shortest schedule of a failure is searched for after the budget. */
const TIMEOUT_MS = 300_000;

test.each(PROPERTIES.map((property, i) => ({ ...property, i })))(
  "$name: $says",
  async ({ name, i }) => {
    const seeds = Array.from({ length: SEEDS_EACH }, (_, k) => k + 1 + i * SEEDS_EACH);

    const hit = await explore({ seeds, onlySeeds: true, ms: BUDGET_MS, property: name });

    expect(hit === undefined ? "" : foundText(hit)).toBe("");
  },
  TIMEOUT_MS,
);
