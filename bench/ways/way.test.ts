import { expect, test } from "vitest";
import type { Passage } from "./passage.ts";
import { foldersOf, wayOf } from "./way.ts";

const GIVEN = { service: "watcher", title: "From here to there" };

const undisturbed = (...files: string[]): Passage => ({ files, isOrdered: false });
const ordered = (...files: string[]): Passage => ({ files, isOrdered: true });

test("a way has what ran for every change, in the order of first use, and names what ran for some", () => {
  const passages = [
    undisturbed("a", "b", "timer", "c"),
    undisturbed("c", "b", "a", "heartbeat"),
    ordered("b", "timer", "c", "a"),
    ordered("late", "b", "c", "a"),
    ordered("b", "a", "c"),
  ];
  expect(wayOf(GIVEN, passages)).toEqual({
    ...GIVEN,
    files: ["b", "c", "a"],
    sometimes: ["heartbeat", "timer"],
  });
});

test("a file that no ordered passage has is the last", () => {
  expect(wayOf(GIVEN, [undisturbed("a", "b"), ordered("b")]).files).toEqual(["b", "a"]);
});

test("without an undisturbed passage there is no way", () => {
  expect(() => wayOf(GIVEN, [ordered("a")])).toThrow("no change passed the watcher");
});

test("moves are counted between files in a row", () => {
  expect(foldersOf(["x/a.ts", "x/b.ts", "y/a.ts", "x/c.ts"])).toEqual({ folders: 2, moves: 2 });
  expect(foldersOf([])).toEqual({ folders: 0, moves: 0 });
});
