import { expect, test } from "vitest";
import { SCENARIOS, optionsOf, usage } from "./options.ts";

test("a scenario has its own sizes, and eight rounds beside another commit", () => {
  expect(optionsOf(["fan-out", "--workloads", "50", "--base", "HEAD~1"])).toMatchObject({
    scenario: { name: "fan-out" },
    sizes: { workloads: 50, changes: 3 },
    base: "HEAD~1",
    rounds: 8,
    limit: 256,
  });
  expect(optionsOf(["latency"])).toMatchObject({ rounds: 1, base: undefined, json: undefined });
});

test.each([
  [[], "no scenario"],
  [["speed"], 'no scenario is called "speed"'],
  [["latency", "--workloads", "5"], "Unknown option '--workloads'"],
  [["latency", "--rounds", "0"], '--rounds is "0": a whole number above 0 is needed'],
  [["latency", "--changes", "many"], '--changes is "many"'],
  [["latency", "more"], "Unexpected argument 'more'"],
])("%j is refused: %s", (args, why) => {
  expect(() => optionsOf(args)).toThrow(why);
});

test("the usage names every scenario with its sizes", () => {
  const text = usage();
  for (const { name, about, sizes } of SCENARIOS) {
    expect(text).toContain(`${name} `);
    expect(text).toContain(about);
    for (const [size, count] of Object.entries(sizes)) {
      expect(text).toContain(`--${size} ${count}`);
    }
  }
});
