import { expect, test } from "vitest";
import { coverageKey, coverageKeys, sourceKeys } from "./installation.ts";
import { recordKey } from "@rollcast/shared/subjects";

/** As NATS matches subjects: `*` is one token. */
function matches(filter: string, key: string): boolean {
  const wanted = filter.split(".");
  const tokens = key.split(".");
  return (
    wanted.length === tokens.length &&
    wanted.every((token, i) => token === "*" || token === tokens[i])
  );
}

test("the filter of source records takes in no other key of the bucket", () => {
  const filter = sourceKeys("prod");

  expect(matches(filter, recordKey("prod", { kind: "Secret", namespace: "a", name: "b.c" }))).toBe(
    true,
  );
  for (const key of [
    "prod.installation",
    coverageKey("prod", "Secret", "a"),
    "prod.csi.pods.a.b",
  ]) {
    expect(matches(filter, key)).toBe(false);
  }
  expect(matches(filter, recordKey("test", { kind: "Secret", namespace: "a", name: "b" }))).toBe(
    false,
  );
});

test("the coverage of a kind and of a kind in a namespace never meet", () => {
  const keys = [
    coverageKey("prod", "ConfigMap"),
    coverageKey("prod", "ConfigMap", "a-b"),
    coverageKey("prod", "Secret", "a-b"),
    coverageKey("prod", "ConfigMap", "configmap"),
  ];

  expect(new Set(keys).size).toBe(keys.length);
  expect(keys.every((key) => matches(coverageKeys("prod"), key))).toBe(true);
});
