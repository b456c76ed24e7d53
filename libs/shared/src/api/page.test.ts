import fc from "fast-check";
import { expect, test } from "vitest";
import { paginate } from "./page.ts";

test("pages together are everything once, in order, whatever comes in between after the cursor", () => {
  const keys = fc.uniqueArray(fc.string({ unit: "grapheme", minLength: 1, maxLength: 8 }), {
    maxLength: 60,
  });
  fc.assert(
    fc.property(keys, fc.integer({ min: 1, max: 7 }), (items, limit) => {
      const read: string[] = [];
      let cursor: string | undefined;
      do {
        const page = paginate(items, (item) => item, { limit, cursor });
        expect(page.items.length).toBeLessThanOrEqual(limit);
        read.push(...page.items);
        cursor = page.next;
      } while (cursor !== undefined);
      expect(read).toEqual(items.toSorted((a, b) => (a < b ? -1 : 1)));
    }),
  );
});

test("a cursor that is none is refused", () => {
  expect(() => paginate(["a"], (item) => item, { limit: 1, cursor: "a=b" })).toThrow(/begin again/);
});
