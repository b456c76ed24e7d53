import { expect, test } from "vitest";
import { createServiceHealth } from "./service-health.ts";

const STALL_MS = 1_000;
const stuck = { progress: () => [{ what: "a job is running", ms: 5_000 }] };

test("a service is not ready before it has started, nor while a part of it is not", async () => {
  const health = createServiceHealth(STALL_MS, () => undefined);
  health.add({ redis: { outage: () => "not connected" }, watch: { ready: () => undefined } });
  expect(Object.keys(health.ready())).toEqual(["start", "redis", "watch"]);

  health.started();

  const { redis, watch } = health.ready();
  expect([await redis?.(), await watch?.()]).toEqual(["not connected", undefined]);
  expect(Object.keys(health.ready())).toEqual(["redis", "watch"]);
});

test("what stalls is named, of all parts", async () => {
  const health = createServiceHealth(STALL_MS, () => undefined);
  health.add({ worker: stuck, resync: { progress: async () => [{ what: "a resync", ms: 900 }] } });

  expect(await health.live().work?.()).toBe("a job is running for 5 s");
});

test.each(["of every service", "of a part"])("an outage %s suppresses a stall", async (which) => {
  const outage = () => "does not answer";
  const ofAll = which === "of every service";
  const health = createServiceHealth(STALL_MS, ofAll ? outage : () => undefined);
  health.add({ worker: stuck, redis: ofAll ? {} : { outage } });

  expect(await health.stalled()).toBeUndefined();
});

test("the notes of all parts stand behind the ok", () => {
  const health = createServiceHealth(STALL_MS, () => undefined);
  health.add({ watch: { notes: () => ["a"] }, reconcile: { notes: () => ["b", "c"] } });

  expect(health.notes()).toEqual(["a", "b", "c"]);
});
