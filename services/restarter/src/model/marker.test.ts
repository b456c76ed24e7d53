import fc from "fast-check";
import { expect, test } from "vitest";
import { ABSENT, UNKNOWN, formatMarker, parseMarker, restartTime, sourceKey } from "./content.ts";
import type { SourceKey } from "./content.ts";

const name = fc.stringMatching(/^[a-z0-9]([a-z0-9.-]{0,20}[a-z0-9])?$/);
const digest = fc
  .tuple(fc.stringMatching(/^[a-z0-9]{1,8}$/), fc.stringMatching(/^[0-9a-f]{32}$/))
  .map(([id, hex]) => `${id}.${hex}`);
const key = fc
  .tuple(fc.constantFrom("ConfigMap", "Secret"), fc.constantFrom("shop", "other"), name)
  .map(([kind, namespace, content]) => sourceKey(kind, namespace, content));
const contents = fc.dictionary(
  key,
  digest.map((content) => ({ digest: content })),
) as fc.Arbitrary<Record<SourceKey, { digest: string }>>;

test("a written marker parses to the same digests", () => {
  fc.assert(
    fc.property(contents, (written) => {
      const read = parseMarker(formatMarker(written, "shop"), "shop");
      expect(Object.fromEntries(read)).toEqual(
        Object.fromEntries(Object.entries(written).map(([id, content]) => [id, content.digest])),
      );
    }),
  );
});

test("the order of the sources does not matter", () => {
  fc.assert(
    fc.property(contents, (written) => {
      const turned = Object.fromEntries(Object.entries(written).toReversed());
      expect(formatMarker(turned, "shop")).toBe(formatMarker(written, "shop"));
    }),
  );
});

test("the format is the documented one", () => {
  const d = `k1.${"0".repeat(32)}`;
  expect(
    formatMarker(
      { "Secret/shop/tls": { digest: d }, "ConfigMap/other/cfg": { digest: d } },
      "shop",
    ),
  ).toBe(`{"ConfigMap/other/cfg":"${d}","Secret/tls":"${d}"}`);
});

test("absent and unknown sources are omitted", () => {
  expect(
    formatMarker(
      { "Secret/shop/a": { digest: ABSENT }, "Secret/shop/b": { digest: UNKNOWN } },
      "shop",
    ),
  ).toBe("{}");
});

test("`again` makes a different marker that parses to the same digests", () => {
  const content = { "Secret/shop/a": { digest: `k1.${"1".repeat(32)}` } } as const;
  expect(formatMarker(content, "shop", 7)).not.toBe(formatMarker(content, "shop"));
  expect(parseMarker(formatMarker(content, "shop", 7), "shop")).toEqual(
    parseMarker(formatMarker(content, "shop"), "shop"),
  );
});

test("junk parses as no marker and never throws", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      for (const digestFound of parseMarker(text, "shop").values()) {
        expect(digestFound).toMatch(/^[a-z0-9]+\.[0-9a-f]{32}$/);
      }
    }),
  );
  expect(parseMarker(undefined, "shop").size).toBe(0);
});

test.each([
  { changed: "2026-01-10T12:00:00.001Z", present: undefined, expected: "2026-01-10T12:00:01Z" },
  { changed: "2026-01-10T12:00:00.000Z", present: undefined, expected: "2026-01-10T12:00:00Z" },
  {
    changed: "2026-01-10T11:59:59.999Z",
    present: "2026-01-10T12:00:00Z",
    expected: "2026-01-10T12:00:01Z",
  },
])("pods made before $expected are restarted for a change at $changed", (given) => {
  expect(restartTime(Date.parse(given.changed), given.present)).toBe(given.expected);
});
