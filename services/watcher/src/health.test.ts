import { expect, test } from "vitest";
import { watcherHealth } from "./health.ts";

const followed = (fault: string | undefined, staleness: number) => ({
  name: "Secret in shop",
  resource: "secrets",
  reflector: { fault: () => fault, staleness: () => staleness },
});
const pool = (oldest = 0) => ({ pool: { oldestMs: () => oldest } }) as never;

test("a fault makes the watcher unready and names what has it", () => {
  expect(watcherHealth([followed(undefined, 9)], pool()).ready()).toBeUndefined();
  const health = watcherHealth([followed(undefined, 0), followed("not synced", 9)], pool());
  expect(health.ready()).toBe("Secret in shop: not synced");
});

test("a watch and a source in hand must go on; a watch with a fault is explained by it", () => {
  const watches = [followed(undefined, 7), followed("503 ServiceUnavailable", 9)];
  expect(watcherHealth(watches, pool(3)).signs()).toEqual([
    { what: "Secret in shop: nothing consumed", ms: 7 },
    { what: "a source is in hand", ms: 3 },
  ]);
});
