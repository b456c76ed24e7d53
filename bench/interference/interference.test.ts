import { expect, test } from "vitest";
import { interferenceOptions } from "./interference-options.ts";
import { SOURCES, fleet, isInterferedBy } from "./world/fleet.ts";
import type { Interference } from "./world/fleet.ts";
import { planChanges } from "./world/changes.ts";

test("ten minutes and 200 changes, where nothing else is asked for", () => {
  const given = ["--minutes", "0.5", "--changes", "20", "--json", "a.json", "--keep", "b"];

  expect(interferenceOptions([])).toEqual({
    minutes: 10,
    changes: 200,
    json: undefined,
    keep: undefined,
  });
  expect(interferenceOptions(given)).toEqual({
    minutes: 0.5,
    changes: 20,
    json: "a.json",
    keep: "b",
  });
});

test.each([
  [["--minutes", "0"], '--minutes is "0": a number above 0 is needed'],
  [["--changes", "many"], '--changes is "many": a number above 0 is needed'],
  [["--base", "main"], "Unknown option '--base'"],
])("%j is refused: %s", (args, why) => {
  expect(() => interferenceOptions(args)).toThrow(why);
});

test("at least 60 workloads: each kind is interfered with, and each source is used", () => {
  const members = fleet();
  const kindsOf = (by: Interference) =>
    new Set(members.filter((member) => isInterferedBy(member, by)).map(({ kind }) => kind));

  expect(members.length).toBeGreaterThanOrEqual(60);
  expect(new Set(members.map(({ name }) => name)).size).toBe(members.length);
  for (const by of ["applied", "mutated", "stripped"] as const) expect(kindsOf(by).size).toBe(3);
  expect(new Set(members.flatMap(({ sources }) => sources))).toEqual(new Set(SOURCES));
  expect(new Set(members.map(({ stripping }) => stripping)).size).toBe(5);
});

test("changes are spread over the time, in order; some bring earlier content back", () => {
  const changes = planChanges(200, 600_000);
  const times = changes.map(({ afterMs }) => afterMs);
  const valuesOf = (source: string) => [
    "0",
    ...changes.filter((change) => change.source === source).map(({ value }) => value),
  ];

  expect(changes).toHaveLength(200);
  expect(times).toEqual(times.toSorted((a, b) => a - b));
  expect(times.at(-1)).toBeGreaterThan(590_000);
  const all = SOURCES.map(valuesOf);
  // Each write changes something.
  expect(all.flatMap((values) => values.filter((value, i) => value === values[i - 1]))).toEqual([]);
  expect(all.filter((values) => new Set(values).size < values.length).length).toBeGreaterThan(5);
  expect(all.every((values) => values.length > 1)).toBe(true);
});
