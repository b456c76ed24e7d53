import { expect, test } from "vitest";
import { notifierChecks } from "./health.ts";

const NOW = 1_000_000;

test("every part of a notifier has its sign", async () => {
  const lastActive = new Map([
    ["", NOW - 5],
    ["hook", NOW - 90],
  ]);
  const parts = {
    consuming: { lastHeard: () => NOW - 1, inFlightMs: () => 2 },
    resync: { inFlightMs: () => 3 },
    queues: {
      standing: async () =>
        new Map([
          ["", 90],
          ["hook", 6],
          ["new", 90],
        ]),
    },
    workers: { inFlightMs: () => 4, lastActive: (receiver: string) => lastActive.get(receiver) },
  };

  expect(await notifierChecks(parts, NOW)).toEqual([
    { what: "events: nothing heard", ms: 1 },
    { what: "events: one is in hand", ms: 2 },
    { what: "the sweep is in hand", ms: 3 },
    { what: "a turn is in hand", ms: 4 },
    { what: "groups: turns wait and none is taken", ms: 5 },
    { what: "receiver hook: turns wait and none is taken", ms: 6 },
    { what: "receiver new: turns wait and none is taken", ms: 0 },
  ]);
});
