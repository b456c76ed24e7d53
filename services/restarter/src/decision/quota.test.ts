import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { emptyState } from "../model/control-entry.ts";
import type { QueueState, QuotaUse } from "../model/control-entry.ts";
import {
  admissible,
  failuresOf,
  inOrder,
  mayReserve,
  mayStart,
  withFailure,
  withoutFailure,
  withoutOutdated,
} from "./blocking-gate.ts";
import type { QuotaLimits, Waiter } from "./blocking-gate.ts";

function rolling(...keys: string[]): Record<string, QuotaUse> {
  return Object.fromEntries(keys.map((key) => [key, { rollout: key, since: 0, changes: [] }]));
}

const key = (namespace: string, name: string | number) => `Deployment/${namespace}/${name}`;
const waiting = (...keys: string[]): Waiter[] =>
  keys.map((workload, i) => ({ key: workload, since: i }));

describe("who gets free quota", () => {
  test("the oldest, as many as are free", () => {
    const list = waiting(key("a", 1), key("b", 2), key("a", 3));
    expect(admissible(rolling(key("x", 0)), { maxRolling: 3 }, list)).toEqual(list.slice(0, 2));
  });

  test("a namespace at its limit does not block the others", () => {
    const list = waiting(key("a", 1), key("a", 2), key("b", 3), key("c", 4));
    const limits = { maxRolling: 3, maxRollingPerNamespace: 1 };
    expect(admissible(rolling(key("a", 0)), limits, list).map((waiter) => waiter.key)).toEqual([
      key("b", 3),
      key("c", 4),
    ]);
  });

  test("a newcomer queues behind the waiters, unless more quota is free than they need", () => {
    const list = waiting(key("a", 1), key("a", 2));
    const self = { key: key("b", 9), since: 100 };
    expect(mayStart({}, { maxRolling: 2 }, list, self)).toBe(false);
    expect(mayStart({}, { maxRolling: 3 }, list, self)).toBe(true);
    expect(mayStart({}, { maxRolling: 2 }, list, { key: key("a", 2), since: 1 })).toBe(true);
  });

  test("a holder keeps its quota even if the limit is lowered below it", () => {
    const self = { key: key("a", 1), since: 100 };
    expect(mayStart(rolling(key("a", 1), key("a", 2)), { maxRolling: 1 }, [], self)).toBe(true);
  });
});

const limits = fc.record<QuotaLimits>(
  {
    maxRolling: fc.integer({ min: 1, max: 5 }),
    maxRollingPerNamespace: fc.integer({ min: 1, max: 3 }),
  },
  { requiredKeys: [] },
);
const keys = fc.uniqueArray(
  fc.tuple(fc.constantFrom("a", "b", "c"), fc.nat(6)).map(([ns, i]) => key(ns, i)),
);
const waiters = keys.chain((list) =>
  fc
    .tuple(...list.map((workload) => fc.nat(4).map((since) => ({ key: workload, since }))))
    .map(inOrder),
);

function within(
  hold: readonly string[],
  { maxRolling = 99, maxRollingPerNamespace = 99 }: QuotaLimits,
) {
  const namespaces = hold.map((workload) => workload.split("/")[1] ?? "");
  const most = Math.max(0, ...namespaces.map((ns) => namespaces.filter((x) => x === ns).length));
  return hold.length <= maxRolling && most <= maxRollingPerNamespace;
}

test("in any order of requests, no limit is exceeded, and all admitted workloads fit together", () => {
  fc.assert(
    fc.property(limits, waiters, (bounds, list) => {
      const granted = admissible({}, bounds, list);
      expect(
        within(
          granted.map((waiter) => waiter.key),
          bounds,
        ),
      ).toBe(true);
      // No rejected workload would fit as well, and the oldest is never rejected.
      for (const waiter of list) {
        if (granted.includes(waiter)) continue;
        expect(within([...granted.map((admitted) => admitted.key), waiter.key], bounds)).toBe(
          false,
        );
      }
      expect(granted[0]).toBe(list[0]);
    }),
  );
});

test("each admitted workload may start, whatever the others do first", () => {
  fc.assert(
    fc.property(limits, waiters, fc.nat(), (bounds, list, seed) => {
      const granted = admissible({}, bounds, list);
      let hold: Record<string, QuotaUse> = {};
      for (const waiter of granted.toSorted(
        (a, b) => ((a.key.length * seed) % 7) - (b.since % 5),
      )) {
        expect(
          mayStart(
            hold,
            bounds,
            list.filter((w) => !Object.hasOwn(hold, w.key)),
            waiter,
          ),
        ).toBe(true);
        hold = { ...hold, ...rolling(waiter.key) };
      }
    }),
  );
});

const change = (id: string) => ({ id, source: `ConfigMap/shop/${id}` });

describe("failures of a change", () => {
  test("count for every rollout that would bring all of it, once each", () => {
    const first = withFailure([], [change("x")], "r1");
    const twice = withFailure(first, [change("x")], "r1");
    expect(twice).toBe(first);
    const both = withFailure(twice, [change("y"), change("x")], "r2");
    expect(failuresOf(both, [change("x")])).toBe(1);
    expect(failuresOf(both, [change("x"), change("y")])).toBe(2);
    expect(failuresOf(both, [change("x"), change("y"), change("z")])).toBe(2);
    expect(failuresOf(both, [change("y")])).toBe(0);
    // The fix of x is another change of x.
    expect(failuresOf(both, [change("x2"), change("y")])).toBe(0);
  });

  test("are dropped when a newer change of a source replaces one of the changes", () => {
    const both = withFailure([], [change("y"), change("x")], "r1");
    expect(withoutOutdated(both, change("x"))).toBe(both);
    expect(withoutOutdated(both, { source: change("z").source, id: "z" })).toBe(both);
    expect(withoutOutdated(both, { source: change("x").source, id: "x2" })).toEqual([]);
  });

  test("of a rollout that brought no change affect no others", () => {
    expect(withFailure([], [], "r1")).toEqual([]);
  });

  test("a rollout that had only stalled is removed, and its set with the last rollout", () => {
    const failures = withFailure(withFailure([], [change("x")], "r1"), [change("x")], "r2");
    const left = withoutFailure(failures, "r1");
    expect(failuresOf(left, [change("x")])).toBe(1);
    expect(withoutFailure(left, "r2")).toEqual([]);
    expect(withoutFailure(left, "r9")).toBe(left);
  });

  test("one that has stalled and still rolls counts once", () => {
    const quotaUse = (rollout: string) => ({ rollout, since: 0, changes: ["x"] });
    const state = {
      ...emptyState("q"),
      rolling: { [key("a", 1)]: quotaUse("r1"), [key("a", 2)]: quotaUse("r2") },
      failures: [...withFailure([], [change("x")], "r1")],
    };
    const wanted = { key: key("a", 3), changes: ["x"] };
    expect(mayReserve(state, { maxRolling: 9 }, { ...wanted, haltAfter: 3 })).toBe(true);
    expect(mayReserve(state, { maxRolling: 9 }, { ...wanted, haltAfter: 2 })).toBe(false);
  });

  test("are dropped beyond 50 sets, the oldest first", () => {
    let failures = withFailure([], [change("first")], "r");
    for (let i = 0; i < 50; i++) failures = withFailure(failures, [change(`c${i}`)], "r");
    expect(failures).toHaveLength(50);
    expect(failuresOf(failures, [change("first")])).toBe(0);
    expect(failuresOf(failures, [change("c0")])).toBe(1);
  });
});

/**
 * Rolls a broken change over many workloads: each iteration, one more begins if it may, or a
 * running one fails.
 */
function breakAll(maxRolling: number, haltAfter: number, steps: readonly boolean[]): number {
  let state: QueueState = emptyState("q");
  let next = 0;
  let failed = 0;
  for (const isStart of steps) {
    const hold = Object.keys(state.rolling);
    if (isStart) {
      const wanted = { key: key("a", next), changes: ["x"], haltAfter };
      const isHalted = failuresOf(state.failures, [change("x")]) >= haltAfter;
      if (isHalted || !mayReserve(state, { maxRolling }, wanted)) continue;
      const quotaUse = { rollout: `r${next}`, since: 0, changes: ["x"] };
      state = { ...state, rolling: { ...state.rolling, [wanted.key]: quotaUse } };
      next += 1;
    } else {
      const [first] = hold;
      if (first === undefined) continue;
      const { [first]: gone, ...others } = state.rolling;
      const failures = [...withFailure(state.failures, [change("x")], gone?.rollout ?? "")];
      state = { ...state, rolling: others, failures };
      failed += 1;
    }
  }
  return failed;
}

test("of a change that breaks everything, no more fail than haltAfter, or than were in progress before the first failure", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 8 }),
      fc.integer({ min: 1, max: 5 }),
      fc.array(fc.boolean(), { maxLength: 60 }),
      (maxRolling, haltAfter, steps) => {
        expect(breakAll(maxRolling, haltAfter, steps)).toBeLessThanOrEqual(
          Math.max(maxRolling, haltAfter),
        );
      },
    ),
  );
});
