import { randomInt } from "node:crypto";
import { expect, test } from "vitest";
import { explore, foundText } from "./explore.ts";
import { PROPERTIES } from "./oracle/oracle.ts";

/** All are tried, however long it takes: a few seconds for each part on a quiet machine. */
const SEEDS_EACH = 12;
/** Those of `npm run model`, whose `--seed` repeats what is found here. */
const MAX_SEED = 1_000_000;
/** The shortest schedule of a failure is searched for, too. */
const TIMEOUT_MS = 300_000;

test.each(PROPERTIES.map((property, i) => ({ ...property, i })))(
  "$name: $says",
  async ({ name, i }) => {
    const seeds = Array.from({ length: SEEDS_EACH }, (_, k) => k + 1 + i * SEEDS_EACH);

    const hit = await explore({ seeds, onlySeeds: true, property: name });

    expect(hit === undefined ? "" : foundText(hit)).toBe("");
  },
  TIMEOUT_MS,
);

test(
  "all of them: a new seed, which nobody has tried before, keeps the promise",
  async () => {
    const seeds = [randomInt(MAX_SEED)];

    const hit = await explore({ seeds, onlySeeds: true });

    expect(hit === undefined ? "" : foundText(hit)).toBe("");
  },
  TIMEOUT_MS,
);
