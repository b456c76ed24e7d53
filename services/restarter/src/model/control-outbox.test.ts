import fc from "fast-check";
import { expect, test } from "vitest";
import { ControlEntry, freezeKey } from "./control-entry.ts";
import type { Freeze } from "./control-entry.ts";
import { MAX_OUTBOX, REMOVED, withEvent, withoutEvents } from "./control-outbox.ts";
import type { Operation } from "./control-outbox.ts";

const scope = { level: "cluster" } as const;
const key = freezeKey("prod", scope);
const freeze: Freeze = { v: 1, type: "freeze", scope, by: "anna", at: 1 };

function change(before: ControlEntry | undefined, isFrozen: boolean, now: number): ControlEntry {
  const outcome = isFrozen ? "frozen" : "unfrozen";
  const operation: Operation = { domain: "freeze", outcome, data: { scope, by: "anna" } };
  return withEvent({ key, before, next: isFrozen ? freeze : REMOVED, operation, now });
}

function idsOf(entry: ControlEntry | null | undefined): string[] {
  return (entry?.outbox ?? []).map(({ id }) => id);
}

test("a removed entry is neither a freeze nor a setting, and goes with the last of its events", () => {
  const frozen = change(undefined, true, 1);
  const removed = change(frozen, false, 2);
  expect(frozen).toMatchObject({ type: "freeze", outbox: [{ outcome: "frozen" }] });
  expect(removed).toMatchObject({
    ...REMOVED,
    outbox: [{ outcome: "frozen" }, { outcome: "unfrozen" }],
  });
  expect(ControlEntry.parse(JSON.parse(JSON.stringify(removed)))).toEqual(removed);

  const [first = "", second = ""] = idsOf(removed);
  expect(withoutEvents(frozen, new Set([first]))).toEqual(freeze);
  expect(idsOf(withoutEvents(removed, new Set([first])))).toEqual([second]);
  expect(withoutEvents(removed, new Set([first, second]))).toBeNull();
});

test.each([
  ["no entry", undefined],
  ["an entry of an earlier version, which has no outbox", freeze],
  ["other events", change(undefined, true, 1)],
])("nothing is taken out of %s", (_, entry) => {
  expect(withoutEvents(entry, new Set(["another"]))).toBeUndefined();
});

test("an outbox keeps its newest events, whatever is done meanwhile", () => {
  let entry: ControlEntry | undefined;
  for (let now = 0; now < 1_000; now++) entry = change(entry, now % 2 === 0, now);
  expect(entry?.outbox?.map(({ time }) => time)).toEqual(
    Array.from({ length: MAX_OUTBOX }, (_, i) => 1_000 - MAX_OUTBOX + i),
  );
});

/** What may happen, in any order: a write, or one more call of a replica that publishes. */
const Act = fc.oneof(
  fc.record({ do: fc.constant("write"), isFrozen: fc.boolean() }),
  fc.record({ do: fc.constantFrom("publish", "kill"), replica: fc.nat(2) }),
);

test("however writes, publishing replicas and kills interleave, each event is stored once and in the order of the writes", () => {
  fc.assert(
    fc.property(fc.array(Act, { maxLength: MAX_OUTBOX }), (acts) => {
      let entry: ControlEntry | undefined;
      const written: string[] = [];
      const stored = new Set<string>();
      /** By replica: the events it has read and not published yet, and all that it has read. */
      const flushes = new Map<number, { left: string[]; ids: string[] }>();
      const publish = (replica: number) => {
        const flush = flushes.get(replica);
        if (flush === undefined) {
          const ids = idsOf(entry);
          if (ids.length > 0) flushes.set(replica, { left: [...ids], ids });
          return;
        }
        const next = flush.left.shift();
        // The stream keeps one of several under one id.
        if (next !== undefined) return void stored.add(next);
        const rest = withoutEvents(entry, new Set(flush.ids));
        if (rest !== undefined) entry = rest ?? undefined;
        flushes.delete(replica);
      };
      for (const [now, act] of acts.entries()) {
        if ("isFrozen" in act) {
          entry = change(entry, act.isFrozen, now);
          written.push(...idsOf(entry).slice(-1));
        } else if (act.do === "kill") flushes.delete(act.replica);
        else publish(act.replica);
      }
      while (idsOf(entry).length > 0) publish(0);
      expect([...stored]).toEqual(written);
      expect(entry === undefined || entry.type === "freeze").toBe(true);
    }),
  );
});
