import { TerminalError } from "@rollcast/shared/errors";
import { expect, test } from "vitest";
import { z } from "zod";
import { createRecordForm } from "./record-form.ts";

const Numbered = z.object({ n: z.number(), text: z.string().optional() });
const form = () => createRecordForm("sources", Numbered);
const bytesOf = (json: unknown) => new TextEncoder().encode(JSON.stringify(json));

test("a record is read as it was written", () => {
  const { read, readOnce, write } = form();
  const bytes = write("a", { n: 1, text: undefined });
  for (const reads of [read, readOnce]) {
    expect(reads("a", bytes)).toStrictEqual({ n: 1 });
    expect(reads("b", bytes)).toStrictEqual({ n: 1 });
  }
});

test("what JSON cannot hold is not written", () => {
  const { read, write } = form();
  const unwritable = () => write("a", { n: Number.NaN });
  expect(unwritable).toThrow(TerminalError);
  expect(unwritable).toThrow("record a in sources is not of the form this version reads (n: ");
  expect(() => read("a", bytesOf({ n: null }))).toThrow(TerminalError);
});

test("what is remembered of a record counts for the same bytes only", () => {
  const { read, readOnce, write } = form();
  const first = write("a", { n: 1 });
  for (const reads of [read, readOnce]) {
    expect(reads("a", bytesOf({ n: 2 }))).toEqual({ n: 2 });
    expect(reads("a", first)).toEqual({ n: 1 });
    expect(() => reads("a", bytesOf({ n: "2" }))).toThrow("(n: ");
  }
});

test("the same bytes are checked once, whoever has written or read them first", () => {
  const { read, readOnce, write } = form();
  const bytes = write("a", { n: 1 });
  expect(read("a", Uint8Array.from(bytes))).toBe(readOnce("a", bytes));
  const others = bytesOf({ n: 2 });
  expect(read("b", others)).toBe(readOnce("b", Uint8Array.from(others)));
});

test("the oldest records are forgotten where all take too many bytes", () => {
  const bytes = bytesOf({ n: 1 });
  const { read } = createRecordForm("sources", Numbered, bytes.length * 2);
  const [a, b] = [read("a", bytes), read("b", bytes)];
  expect(read("a", bytes)).toBe(a);
  read("c", bytes);
  expect(read("b", bytes)).toBe(b);
  expect(read("a", bytes)).not.toBe(a);
});

test("a record that is larger than all that is remembered is read all the same", () => {
  const bytes = bytesOf({ n: 1 });
  const { read } = createRecordForm("sources", Numbered, 1);
  expect(read("a", bytes)).toEqual({ n: 1 });
  expect(read("a", bytes)).not.toBe(read("a", bytes));
});
