import fc from "fast-check";
import { expect, test } from "vitest";
import { parseEvent, splitLines } from "./watch-stream.ts";
import type { KubeObject } from "./object.ts";

async function linesOf(chunks: readonly Uint8Array[], maxLine?: number): Promise<string[]> {
  async function* source() {
    yield* chunks;
  }
  const lines: string[] = [];
  for await (const line of splitLines(source(), maxLine)) lines.push(line.toString("utf8"));
  return lines;
}

test("however the bytes are cut, the lines are the same", async () => {
  const line = fc.string({ unit: "grapheme", minLength: 1 }).filter((text) => !text.includes("\n"));
  await fc.assert(
    fc.asyncProperty(
      fc.array(line),
      fc.infiniteStream(fc.integer({ min: 1, max: 7 })),
      async (lines, sizes) => {
        const bytes = Buffer.from(lines.map((text) => `${text}\n`).join(""));
        const chunks: Uint8Array[] = [];
        for (let at = 0; at < bytes.length;) {
          const end = at + (sizes.next().value ?? 1);
          chunks.push(bytes.subarray(at, end));
          at = end;
        }
        expect(await linesOf(chunks)).toEqual(lines);
      },
    ),
  );
});

test("a line without its end is no line, and empty ones are left out", async () => {
  expect(await linesOf([Buffer.from("a\n\nb\nhalf")])).toEqual(["a", "b"]);
});

test("a line that grows past the bound is refused", async () => {
  const chunks = [Buffer.alloc(6, "x"), Buffer.alloc(6, "x")];

  await expect(linesOf(chunks, 10)).rejects.toMatchObject({ reason: "Garbage" });
});

const name = ({ metadata }: KubeObject) => metadata.name;
const object = { metadata: { name: "n", uid: "u", resourceVersion: "7" } };
const parse = (value: unknown) => parseEvent(Buffer.from(JSON.stringify(value)), name);

test.each([
  { type: "ADDED", want: { type: "upsert", item: "n", resourceVersion: "7" } },
  { type: "MODIFIED", want: { type: "upsert", item: "n", resourceVersion: "7" } },
  { type: "DELETED", want: { type: "removed", item: "n", resourceVersion: "7" } },
])("$type is transformed at once", ({ type, want }) => {
  expect(parse({ type, object })).toEqual(want);
});

test("a bookmark carries a version only", () => {
  const bookmark = { metadata: { resourceVersion: "9", creationTimestamp: null } };

  expect(parse({ type: "BOOKMARK", object: bookmark })).toEqual({
    type: "bookmark",
    resourceVersion: "9",
  });
});

test("an ERROR event throws what its Status says", () => {
  const status = { kind: "Status", code: 410, reason: "Expired", message: "too old" };

  expect(() => parse({ type: "ERROR", object: status })).toThrow(
    expect.objectContaining({ status: 410, reason: "Expired" }),
  );
});

test.each([
  { name: "an unknown type", value: { type: "NEWS", object } },
  { name: "no object", value: { type: "ADDED" } },
  { name: "an object without uid", value: { type: "ADDED", object: { metadata: { name: "n" } } } },
  { name: "null", value: null },
  { name: "a bookmark without a version", value: { type: "BOOKMARK", object: {} } },
])("$name is garbage", ({ value }) => {
  expect(() => parse(value)).toThrow(expect.objectContaining({ reason: "Garbage" }));
});

test("what is not JSON is not quoted in the error", () => {
  const line = Buffer.from('hunter2 {"data"');

  expect(() => parseEvent(line, name)).toThrow(/not JSON$/);
});
