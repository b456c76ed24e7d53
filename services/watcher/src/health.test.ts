import { expect, test } from "vitest";
import { watcherHealth } from "./health.ts";

const reflector = (fault: string | undefined, staleness: number) => ({
  name: "Secret in shop",
  resource: "secrets",
  reflector: { fault: () => fault, staleness: () => staleness },
});
const pool = (oldest = 0) => ({ pool: { oldestMs: () => oldest } }) as never;

test("a fault makes the watcher unready and names what has it", () => {
  expect(watcherHealth([reflector(undefined, 9)], pool()).ready()).toBeUndefined();
  const health = watcherHealth([reflector(undefined, 0), reflector("not synced", 9)], pool());
  expect(health.ready()).toBe("Secret in shop: not synced");
});

test("where the own API of an optional kind fails, the watcher is ready and says so", () => {
  const healthOf = (fault: string) =>
    watcherHealth([{ ...reflector(fault, 9), name: "Class", optional: true }], pool());
  const broken = healthOf("503 ServiceUnavailable");
  expect(broken.ready()).toBeUndefined();
  expect(broken.notes()).toEqual(["Class is not followed, its API fails: 503 ServiceUnavailable"]);
  for (const fault of ["403 Forbidden", "not synced"]) {
    expect(healthOf(fault).ready()).toBe(`Class: ${fault}`);
    expect(healthOf(fault).notes()).toEqual([]);
  }
});

test("a stalled watch and a source in flight are reported; a watch with a fault is not", () => {
  const watches = [reflector(undefined, 7), reflector("503 ServiceUnavailable", 9)];
  expect(watcherHealth(watches, pool(3)).progress()).toEqual([
    { what: "Secret in shop: nothing consumed", ms: 7 },
    { what: "a source is in flight", ms: 3 },
  ]);
});
