import { expect, test } from "vitest";
import { restarterHealth } from "./health.ts";
import type { WorkloadKey } from "./model/workload.ts";

const NOW = 1_000_000;
const WORKLOADS: WorkloadKey[] = [
  "Deployment/shop/a",
  "Deployment/shop/b",
  "Deployment/shop/c",
  "Deployment/shop/d",
];

test("every part of a restarter has its sign", async () => {
  const parts = {
    kinds: {
      ready: () => undefined,
      progress: () => [{ what: "deployments: nothing consumed", ms: 1 }],
      notes: () => ["apps is not served"],
    },
    admission: { isSynced: () => false, unreadable: new Map([["test.freeze.cluster", 1]]) },
    workqueue: { failing: (): WorkloadKey[] => ["Deployment/shop/web"] },
    others: {
      ownKeyId: () => "k1",
      all: () => [{ keyId: "k9", workloads: WORKLOADS }],
    },
    consumer: { lastHeard: () => NOW - 2, inFlightMs: () => 3 },
    resync: { inFlightMs: () => 4 },
    workers: [
      {
        queue: { queue: "default", stalledMs: async () => 90 },
        work: { inFlightMs: () => 5, lastActive: () => NOW - 6, fault: () => undefined },
      },
      {
        queue: { queue: "slow", stalledMs: async () => 8 },
        work: { inFlightMs: () => 7, lastActive: () => NOW - 90, fault: () => undefined },
      },
    ],
  };

  const sources = Object.values(restarterHealth(parts, () => NOW));
  const isReady = await Promise.all(sources.map(({ ready }) => ready?.()));
  expect(isReady.filter((why) => why !== undefined)).toEqual([
    "the bucket control is being listed, nothing is rolled meanwhile",
  ]);
  const checks = await Promise.all(sources.map(({ progress }) => progress?.() ?? []));

  expect(checks.flat()).toEqual([
    { what: "deployments: nothing consumed", ms: 1 },
    { what: "events: nothing received", ms: 2 },
    { what: "events: one is being handled", ms: 3 },
    { what: "a resync is running", ms: 4 },
    { what: "queue default: a job is running", ms: 5 },
    // A job that just arrived has not stalled, even if its worker was idle for long.
    { what: "queue default: jobs wait and none is started", ms: 6 },
    { what: "queue slow: a job is running", ms: 7 },
    { what: "queue slow: jobs wait and none is started", ms: 8 },
  ]);
  expect(sources.flatMap(({ notes }) => notes?.() ?? [])).toEqual([
    "apps is not served",
    "reconciling fails, and is tried again: Deployment/shop/web",
    "not readable in the bucket control, so what they may hold back waits: test.freeze.cluster",
    "another installation (key k9, ours k1) rolls workloads of this one: Deployment/shop/a, Deployment/shop/b, Deployment/shop/c and 1 more",
  ]);
});
