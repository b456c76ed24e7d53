import { SourceRecord } from "@rollcast/shared/records";
import fc from "fast-check";
import { expect, test } from "vitest";
import { givenSource } from "../../test/given-situation.ts";
import { contentDigest } from "./content.ts";

/** Names that every object of JavaScript has, and others. */
const name = fc.oneof(
  fc.constantFrom("__proto__", "constructor", "hasOwnProperty", "toString", "valueOf", "a"),
  fc.string({ maxLength: 5 }).filter((text) => text !== "*"),
);
const names = fc.uniqueArray(name, { minLength: 1, maxLength: 6 });

/** The record as a restarter reads it. */
function stored(digests: readonly (readonly [string, string])[]): SourceRecord {
  const written = { ...givenSource("aa"), digests: Object.fromEntries(digests) };
  return SourceRecord.parse(JSON.parse(JSON.stringify(written)));
}

test("a key that changes, comes or goes is other content to whoever uses it, whatever its name", () => {
  fc.assert(
    fc.property(names, ([used = "", ...others]) => {
      const rest = others.map((other) => [other, "1"] as const);
      const variants = [
        stored([...rest, [used, "1"]]),
        stored([...rest, [used, "2"]]),
        stored(rest),
      ];
      const distinct = (keys: "*" | string[]) =>
        new Set(variants.map((variant) => contentDigest(variant, keys))).size;
      expect(distinct([used])).toBe(3);
      expect(distinct("*")).toBe(3);
      if (others.length > 0) expect(distinct(others)).toBe(1);
    }),
  );
});
