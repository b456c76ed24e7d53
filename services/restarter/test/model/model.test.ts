import { randomInt } from "node:crypto";
import { expect, test } from "vitest";
import { explore, foundText } from "./explore.ts";
import { PROPERTIES } from "./oracle/oracle.ts";

const BUDGET_MS = 5_000;
const FIXED = [1, 2, 3];
const MAX_SEED = 1_000_000;
/** The shortest schedule of a failure is searched for after the budget. */
const TIMEOUT_MS = 300_000;

test.each(PROPERTIES.map((property, i) => ({ ...property, i })))(
  "$name: $says",
  async ({ name, i }) => {
    const fresh = randomInt(MAX_SEED);
    process.stdout.write(`model, ${name}: new seed ${fresh}\n`);
    const seeds = [...FIXED.map((seed) => seed + i * FIXED.length), fresh];

    const found = await explore({ seeds, ms: BUDGET_MS, property: name });

    expect(found === undefined ? "" : foundText(found)).toBe("");
  },
  TIMEOUT_MS,
);
