import { expect, test } from "vitest";
import { openDeadLetters } from "../src/dead-letters.ts";
import type { DeadLetters, StoredLetter } from "../src/dead-letters.ts";
import { publishDeadLetter } from "../src/publish.ts";
import { startBus } from "./setup.ts";
import type { Bus } from "./setup.ts";

async function bury(bus: Bus, id: string, more: { stage?: string; reason?: string } = {}) {
  const letter = {
    stage: "restarter-prod",
    reason: "Malformed",
    message: "it is not\nof its form",
    id,
    subject: "rollcast.v1.prod.source.changed.configmap.shop.web",
    body: Buffer.from(`body of ${id}`),
    ...more,
  };
  const { seq } = await publishDeadLetter(bus.nats, letter, AbortSignal.timeout(10_000));
  return String(seq);
}

const bodyOf = (letter: StoredLetter) => new TextDecoder().decode(letter.body);

async function bodies(letters: DeadLetters, options: object = {}): Promise<string[][]> {
  const pages: string[][] = [];
  for (let after: string | undefined, more = true; more; more = after !== undefined) {
    const start = after === undefined ? {} : { after };
    const page = await letters.page({ limit: 2, project: bodyOf, ...start, ...options });
    pages.push([...page.items]);
    after = page.next;
  }
  return pages;
}

test("letters are listed in pages, oldest first, also where some were dropped", async () => {
  await using bus = await startBus();
  const letters = openDeadLetters(bus.nats);
  expect(await bodies(letters)).toEqual([[]]);
  const ids = [];
  for (const name of ["a", "b", "c", "d", "e"]) ids.push(await bury(bus, name));
  expect(await letters.drop(ids[1] ?? "")).toBe(true);
  expect(await letters.drop(ids[0] ?? "")).toBe(true);
  expect(await bodies(letters)).toEqual([["body of c", "body of d"], ["body of e"]]);
});

test("a list may be of one stage, one reason, or what is wanted of each letter", async () => {
  await using bus = await startBus();
  const letters = openDeadLetters(bus.nats);
  await bury(bus, "a");
  await bury(bus, "b", { stage: "notifier", reason: "Gone" });
  await bury(bus, "c", { stage: "notifier", reason: "Expired" });
  expect((await bodies(letters, { stage: "notifier" })).flat()).toEqual(["body of b", "body of c"]);
  expect((await bodies(letters, { reason: "Malformed" })).flat()).toEqual(["body of a"]);
  const project = (letter: StoredLetter) => (letter.reason === "Gone" ? "gone" : undefined);
  expect((await bodies(letters, { project })).flat()).toEqual(["gone"]);
});

test("a letter is shown as it was buried, and after it was dropped it is not there", async () => {
  await using bus = await startBus();
  const letters = openDeadLetters(bus.nats);
  const id = await bury(bus, "a");
  expect(await letters.get(id)).toMatchObject({
    id,
    stage: "restarter-prod",
    reason: "Malformed",
    message: "it is not of its form",
    subject: "rollcast.v1.prod.source.changed.configmap.shop.web",
  });
  expect(bodyOf((await letters.get(id)) as StoredLetter)).toBe("body of a");
  expect(await letters.drop(id)).toBe(true);
  expect(await letters.get(id)).toBeUndefined();
  expect(await letters.drop(id)).toBe(false);
});

test("what cannot be an id is the id of no letter", async () => {
  await using bus = await startBus();
  const letters = openDeadLetters(bus.nats);
  await bury(bus, "a");
  for (const id of ["", "0", "-1", "1.5", "1e3", "x", "2", "9".repeat(30), "*", ">"]) {
    expect(await letters.get(id)).toBeUndefined();
    expect(await letters.drop(id)).toBe(false);
  }
});

test("an outage is thrown, and not taken for an empty list", async () => {
  await using bus = await startBus();
  const letters = openDeadLetters(bus.nats);
  await bury(bus, "a");
  await bus.server.kill();
  await expect(letters.page({ limit: 1, project: bodyOf })).rejects.toThrow(
    /timeout|disconnect|closed|503|connection/i,
  );
  await expect(letters.drop("1")).rejects.toThrow(/timeout|disconnect|closed|503|connection/i);
});
