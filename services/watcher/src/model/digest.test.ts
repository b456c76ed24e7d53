import { createHmac } from "node:crypto";
import { WHOLE_OBJECT } from "@rollcast/shared/records";
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  boundDigests,
  digestValue,
  installationKey,
  relevantAnnotations,
  transformData,
} from "./transform.ts";

const key = installationKey(Buffer.alloc(32, 7));
const options = { key, annotations: relevantAnnotations({}) };
const ref = { kind: "Secret", namespace: "shop", name: "db" };
const bytes = fc.uint8Array({ maxLength: 64 });
const outcome = fc.string({ maxLength: 12 });

test("a digest is the first 128 bits of the HMAC over the place and the value", () => {
  const place = '["Secret","shop","db","password","text"]';
  const want = createHmac("sha256", key.secret).update(place).update("hunter2").digest("hex");

  expect(digestValue(key, ref, "password", "text", Buffer.from("hunter2"))).toBe(want.slice(0, 32));
});

test("the same bytes in the same place have the same digest, other bytes another", () => {
  fc.assert(
    fc.property(bytes, bytes, (a, b) => {
      const same = Buffer.compare(a, b) === 0;
      const digest = (value: Uint8Array) => digestValue(key, ref, "k", "text", value);
      expect(digest(a) === digest(b)).toBe(same);
    }),
  );
});

test("no two places share a digest, however their parts are cut", () => {
  const place = fc.record({
    kind: outcome,
    namespace: outcome,
    name: outcome,
    key: outcome,
    value: outcome,
  });
  fc.assert(
    fc.property(place, place, (a, b) => {
      const digest = (p: typeof a) => digestValue(key, p, p.key, "text", Buffer.from(p.value));
      expect(digest(a) === digest(b)).toBe(JSON.stringify(a) === JSON.stringify(b));
    }),
  );
});

test("binary is not text, and another installation key makes other digests", () => {
  const value = Buffer.from("x");
  const other = installationKey(Buffer.alloc(32, 8));

  expect(digestValue(key, ref, "k", "binary", value)).not.toBe(
    digestValue(key, ref, "k", "text", value),
  );
  expect(digestValue(other, ref, "k", "text", value)).not.toBe(
    digestValue(key, ref, "k", "text", value),
  );
  expect(other.id).not.toBe(key.id);
});

const object = (data: Record<string, string>, binaryData?: Record<string, string>) => ({
  metadata: { name: "c", namespace: "n", uid: "u", resourceVersion: "1" },
  data,
  ...(binaryData === undefined ? {} : { binaryData }),
});

test("the order of the keys does not matter", () => {
  const entries = fc.uniqueArray(fc.tuple(outcome, fc.string()), { selector: ([name]) => name });
  fc.assert(
    fc.property(entries, (list) => {
      const forward = transformData(options, "ConfigMap", object(Object.fromEntries(list)));
      const backward = transformData(
        options,
        "ConfigMap",
        object(Object.fromEntries(list.toReversed())),
      );
      expect(backward.digests).toEqual(forward.digests);
    }),
  );
});

type Data = Record<string, string>;

test.each<{ name: string; a: Data; b: Data }>([
  { name: "a=b joins", a: { a: "1;b=2" }, b: { a: "1", b: "2" } },
  { name: "an empty value and no key", a: { a: "" }, b: {} },
  { name: "a moved boundary of key and value", a: { ab: "c" }, b: { a: "bc" } },
  { name: "swapped values", a: { x: "1", y: "2" }, b: { x: "2", y: "1" } },
])("$name differ", ({ a, b }) => {
  const digests = (data: Data) =>
    JSON.stringify(transformData(options, "ConfigMap", object(data)).digests);

  expect(digests(a)).not.toBe(digests(b));
});

test("a Secret is digested as bytes, not as a string", () => {
  fc.assert(
    fc.property(bytes, (value) => {
      const data = { k: Buffer.from(value).toString("base64") };
      const observed = transformData(options, "Secret", object(data));
      const place = { kind: "Secret", namespace: "n", name: "c" };
      expect(observed.digests.k).toBe(digestValue(key, place, "k", "text", value));
    }),
  );
});

test("binaryData counts by its bytes", () => {
  const observed = transformData(options, "ConfigMap", object({}, { bin: "AP8=" }));
  const place = { kind: "ConfigMap", namespace: "n", name: "c" };

  expect(observed.digests).toEqual({
    bin: digestValue(key, place, "bin", "binary", Buffer.from([0, 255])),
  });
});

test("what a record has room for is counted in bytes of JSON", () => {
  const names = Array.from({ length: 2_000 }, (_, i) => `${"鍵".repeat(250)}${i}`);
  const whole = boundDigests(key, new Map(names.map((name) => [name, "d".repeat(32)])));

  expect(Object.keys(whole)).toEqual([WHOLE_OBJECT]);
});

test("an object with too many keys for a record has one digest over all", () => {
  const many = new Map(Array.from({ length: 30_000 }, (_, i) => [`key-${i}`, "d".repeat(32)]));
  const changed = new Map(many).set("key-7", "e".repeat(32));

  const whole = boundDigests(key, many);

  expect(Object.keys(whole)).toEqual([WHOLE_OBJECT]);
  expect(boundDigests(key, new Map([...many].toReversed()))).toEqual(whole);
  expect(boundDigests(key, changed)).not.toEqual(whole);
});
