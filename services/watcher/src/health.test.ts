import { expect, test } from "vitest";
import { watcherHealth } from "./health.ts";

const followed = (fault: string | undefined, staleness: number) => ({
  name: "Secret in shop",
  resource: "secrets",
  reflector: { fault: () => fault, staleness: () => staleness },
});
const nats = (fault?: string) => ({ nats: { fault: () => fault } }) as never;
const MINUTE = 60_000;

test("a fault makes the watcher unready and names what has it, a restart would not help", () => {
  const health = watcherHealth(
    [followed(undefined, 0), followed("not synced", 9 * MINUTE)],
    nats(),
  );

  expect(health.ready()).toBe("Secret in shop: not synced");
  expect(health.live()).toBeUndefined();
});

test("a watch that consumes nothing, without a fault that explains it, needs a restart", () => {
  const health = watcherHealth([followed(undefined, 6 * MINUTE)], nats());

  expect(health.ready()).toBeUndefined();
  expect(health.live()).toBe("Secret in shop: nothing consumed for 360 s");
});

test("bookmarks that come are proof of life, and without NATS nothing can be consumed", () => {
  expect(watcherHealth([followed(undefined, MINUTE)], nats()).live()).toBeUndefined();
  expect(watcherHealth([followed(undefined, 9 * MINUTE)], nats("not connected")).live()).toBe(
    undefined,
  );
});
