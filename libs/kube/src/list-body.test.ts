import fc from "fast-check";
import { expect, test } from "vitest";
import { splitList } from "./list.ts";

const parse = (body: string) => {
  const { envelope, items } = splitList(Buffer.from(body));
  return { envelope, items: [...items].map((item) => JSON.parse(item.toString("utf8"))) };
};

test("whatever is in a list, its items are cut out as they are", () => {
  const item = fc.dictionary(fc.string({ unit: "grapheme" }), fc.jsonValue(), {
    noNullPrototype: true,
  });
  const envelope = fc.dictionary(
    fc.string().filter((key) => key !== "items" && key !== "__proto__"),
    fc.jsonValue(),
    { noNullPrototype: true },
  );
  const spaces = fc.constantFrom(undefined, 2);
  fc.assert(
    fc.property(envelope, fc.array(item), envelope, spaces, (before, items, after, indent) => {
      const list = { ...before, items, ...after };
      const text = JSON.stringify(list, undefined, indent);
      expect(parse(text)).toEqual({
        envelope: { ...JSON.parse(text), items: [] },
        items: JSON.parse(text).items,
      });
    }),
  );
});

test.each([
  {
    name: "items in a value",
    text: '{"a":"\\"items\\":[{}]","items":[{"b":1}]}',
    want: [{ b: 1 }],
  },
  { name: "items in metadata", text: '{"metadata":{"items":[{"x":1}]},"items":[{}]}', want: [{}] },
  { name: "a string items before the array", text: '{"kind":"items","items":[{}]}', want: [{}] },
  {
    name: "brackets and escapes in strings",
    text: '{"items":[{"a":"]}\\\\"},{"b":"[{\\""}]}',
    want: [{ a: "]}\\" }, { b: '[{"' }],
  },
  { name: "no items", text: '{"kind":"List"}', want: [] },
  { name: "null items", text: '{"items":null}', want: [] },
])("$name", ({ text, want }) => {
  expect(parse(text).items).toEqual(want);
});

test.each(["", "{", '{"items":[{"a":1}', '{"items":[{]}', "}{", '{"items":[{}],', "hunter2"])(
  "%j is not JSON",
  (text) => {
    expect(() => parse(text)).toThrow(expect.objectContaining({ reason: "NotJson" }));
  },
);
