import { expect, test } from "vitest";
import { notifierHealth } from "./health.ts";

const NOW = 1_000_000;

test("every part of a notifier has a progress check", async () => {
  const lastActive = new Map([
    ["", NOW - 5],
    ["hook", NOW - 90],
  ]);
  const parts = {
    consumer: { lastHeard: () => NOW - 1, inFlightMs: () => 2 },
    resync: { inFlightMs: () => 3, unreadable: () => ["a", "b", "c", "d"] },
    queues: {
      stalledMs: async () =>
        new Map([
          ["", 90],
          ["hook", 6],
          ["new", 90],
        ]),
    },
    workers: {
      inFlightMs: () => 4,
      lastActive: (receiver: string) => lastActive.get(receiver),
      fault: () => undefined,
    },
    circuits: () =>
      new Map([
        ["ops", { fault: () => undefined }],
        ["hook", { fault: () => "Network" }],
      ]),
  };

  const sources = Object.values(notifierHealth(parts, () => NOW));
  const checks = await Promise.all(sources.map(({ progress }) => progress?.() ?? []));

  expect(checks.flat()).toEqual([
    { what: "events: nothing received", ms: 1 },
    { what: "events: one is being handled", ms: 2 },
    { what: "a resync is running", ms: 3 },
    { what: "a job is running", ms: 4 },
    { what: "groups: jobs wait and none is started", ms: 5 },
    { what: "receiver hook: jobs wait and none is started", ms: 6 },
    { what: "receiver new: jobs wait and none is started", ms: 0 },
  ]);
  expect(sources.flatMap(({ notes }) => notes?.() ?? [])).toEqual([
    "records of bucket notify cannot be read, and wait: a, b, c and 1 more",
    "receiver hook gets no messages now: Network",
  ]);
});
