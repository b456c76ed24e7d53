import { expect, test } from "vitest";
import { createKvStore } from "./kv-store.ts";

function startStore() {
  const store = createKvStore<string>();
  const changes: [string, string | undefined, string | undefined][] = [];
  store.listen((...change) => changes.push(change));
  const values = () => [...store.list()].map(({ key, value }) => `${key}=${value}`);
  return { store, changes, values };
}

test("a record is held at its revision, and an older write of it is ignored", () => {
  const { store, changes, values } = startStore();
  store.set("a", "new", 5);
  store.set("a", "old", 4);
  store.set("a", "same", 5);

  expect(store.get("a")).toMatchObject({ key: "a", value: "new", revision: 5 });
  expect(values()).toEqual(["a=new"]);
  expect(changes).toEqual([["a", "new", undefined]]);
});

test("an older write that comes after a removal does not bring the record back", () => {
  const { store, changes, values } = startStore();
  store.set("a", "1", 5);
  store.set("a", undefined, 6);
  store.set("a", "1", 5);

  expect(store.get("a")).toBeUndefined();
  expect(values()).toEqual([]);
  expect(store.size()).toBe(0);
  expect(changes).toEqual([
    ["a", "1", undefined],
    ["a", undefined, "1"],
  ]);
});

test("a list that lacks a record removes it, and says so", () => {
  const { store, changes, values } = startStore();
  store.set("a", "1", 1);
  store.set("b", "1", 2);
  changes.length = 0;
  store.startList();
  store.set("b", "1", 2);
  expect(values()).toEqual(["a=1", "b=1"]);
  store.endList();

  expect(values()).toEqual(["b=1"]);
  expect(store.size()).toBe(1);
  expect(changes).toEqual([
    ["b", "1", "1"],
    ["a", undefined, "1"],
  ]);
});

test("what a list holds counts, also with a lower revision", () => {
  const { store, values } = startStore();
  store.set("a", "lost", 90);
  store.startList();
  store.set("a", "restored", 10);
  store.endList();
  expect(values()).toEqual(["a=restored"]);

  store.set("a", "next", 11);
  expect(store.get("a")).toMatchObject({ value: "next", revision: 11 });
});

test("a write of one's own during a list is not overwritten by what was listed before", () => {
  const { store, values } = startStore();
  store.set("a", "1", 1);
  store.startList();
  store.set("a", "own", 7);
  store.set("b", "own", 8);
  store.set("a", "1", 1);
  store.endList();

  expect(values()).toEqual(["a=own", "b=own"]);
});

test("the traces of removals go with the next list", () => {
  const { store } = startStore();
  store.set("a", "1", 1);
  store.set("a", undefined, 2);
  store.startList();
  store.endList();
  // Nothing remembers the removal any more: a trace of each would be kept for ever.
  store.set("a", "again", 1);

  expect(store.get("a")?.value).toBe("again");
});
