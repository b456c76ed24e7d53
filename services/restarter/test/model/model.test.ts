import { randomInt } from "node:crypto";
import { expect, test } from "vitest";
import { explore, foundText } from "./explore.ts";

/** Each is a few schedules, which are tried for every part of the promise. */
const SEEDS_EACH = 12;
const PARTS = 13;
/** Those of `npm run model`, whose `--seed` repeats what is found here. */
const MAX_SEED = 1_000_000;
/** The shortest schedule of a failure is searched for, too. */
const TIMEOUT_MS = 300_000;

const seedsOf = (part: number) =>
  Array.from({ length: SEEDS_EACH }, (_, k) => k + 1 + part * SEEDS_EACH);

test.each(Array.from({ length: PARTS }, (_, part) => ({ seeds: seedsOf(part) })))(
  "the schedules of seeds $seeds.0 to $seeds.11 keep the promise, but for what is known",
  async ({ seeds }) => {
    const hit = await explore({ seeds, onlySeeds: true });

    expect(hit === undefined ? "" : foundText(hit)).toBe("");
  },
  TIMEOUT_MS,
);

test(
  "a new seed, which nobody has tried before, keeps it too",
  async () => {
    const seeds = [randomInt(MAX_SEED)];

    const hit = await explore({ seeds, onlySeeds: true });

    expect(hit === undefined ? "" : foundText(hit)).toBe("");
  },
  TIMEOUT_MS,
);
