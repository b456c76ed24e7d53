import { expect, test } from "vitest";
import { formatMarker } from "./content.ts";
import { keyIdsOf, keysApart, otherKeyId } from "./content.ts";

const CFG = "ConfigMap/shop/cfg";
const SEC = "Secret/shop/sec";

/** A marker with a digest under each of these keys. */
function marker(...keyIds: string[]): string {
  const contents = keyIds.map((id, i) => [[CFG, SEC][i], { digest: `${id}.${"a".repeat(32)}` }]);
  return formatMarker(Object.fromEntries(contents), "shop", 7);
}

test.each([
  { name: "one key", text: marker("k1"), want: ["k1"] },
  { name: "two keys", text: marker("k1", "k2"), want: ["k1", "k2"] },
  { name: "one key twice", text: marker("k1", "k1"), want: ["k1"] },
  { name: "sources that are all absent", text: marker(), want: [] },
  { name: "no marker", text: undefined, want: [] },
  { name: "somebody's own text", text: "by hand", want: [] },
  { name: "the time of a restart", text: "2026-01-10T12:00:00Z", want: [] },
])("ids of a marker with $name", ({ text, want }) => {
  expect(keyIdsOf(text)).toEqual(want);
});

test.each([
  { name: "ours", ids: ["k2"], own: { keyId: "k2" }, want: undefined },
  { name: "an earlier one of ours", ids: ["k1"], own: own("k2", "k1"), want: undefined },
  { name: "ours and an earlier one", ids: ["k1", "k2"], own: own("k2", "k1"), want: undefined },
  { name: "neither", ids: ["k9"], own: own("k2", "k1"), want: "k9" },
  { name: "ours and neither", ids: ["k2", "k9"], own: own("k2"), want: "k9" },
  { name: "none", ids: [], own: own("k2"), want: undefined },
  { name: "any, with a record of an older watcher", ids: ["k9"], own: {}, want: undefined },
  { name: "any, without a record", ids: ["k9"], own: undefined, want: undefined },
])("a marker whose key is $name", ({ ids, own: installation, want }) => {
  expect(otherKeyId(ids, installation)).toBe(want);
});

function own(keyId: string, ...earlierKeyIds: string[]) {
  return { keyId, earlierKeyIds };
}

test.each([
  { name: "the same", mine: ["k1"], other: ["k1"], want: undefined },
  { name: "one in common", mine: ["k1", "k2"], other: ["k2"], want: undefined },
  { name: "none in common", mine: ["k1"], other: ["k2"], want: { mine: "k1", other: "k2" } },
  { name: "none at all on one side", mine: [], other: ["k2"], want: undefined },
  { name: "none at all on the other", mine: ["k1"], other: [], want: undefined },
])("two markers whose keys are $name", ({ mine, other, want }) => {
  expect(keysApart(marker(...mine), marker(...other))).toEqual(want);
});
