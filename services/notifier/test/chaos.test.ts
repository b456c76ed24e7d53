import { spawnSync } from "node:child_process";
import process from "node:process";
import { expect, test } from "vitest";
import { startReceiver } from "@rollcast/testkit/receiver";
import type { Received } from "@rollcast/testkit/receiver";
import { waitFor } from "@rollcast/testkit/wait";
import { FAILPOINTS } from "../src/failpoints.ts";
import type { Failpoint } from "../src/failpoints.ts";
import { hookReceiver, startNotifierHarness } from "./harness.ts";
import { receivedIds, webhookIds } from "./received.ts";
import type { NotifierHarness } from "./harness.ts";

/** What a receiver makes of duplicates: each event has one webhook-id, however often it came. */
function expectOneIdEach(received: readonly Received[]): void {
  for (const ids of webhookIds(received).values()) expect(ids.size).toBe(1);
}

/** Failpoints at which a message may be in flight: only there may it be sent twice. */
const IN_FLIGHT: ReadonlySet<Failpoint> = new Set(["job-added", "answered"]);

/** All failpoints except those of receivers that edit and of operators. */
const WEBHOOK_FAILPOINTS = FAILPOINTS.filter(
  (failpoint) => failpoint !== "posted" && failpoint !== "letter-requeued",
);

test.for(WEBHOOK_FAILPOINTS)(
  "killed at %s, it repeats at most one message under its id",
  async (failpoint) => {
    await using harness = await startNotifierHarness();
    const first = await harness.start({ env: { ROLLCAST_TEST_KILL_AT: failpoint } });
    const ids = [
      await harness.publishEvent("failed", "web"),
      await harness.publishEvent("failed", "api"),
    ];
    expect(await first.exited).toBe("SIGKILL");
    await harness.start();
    await harness.waitAcknowledged();
    await harness.waitIdle();
    expect(receivedIds(harness.hook.received)).toEqual(new Set(ids));
    expectOneIdEach(harness.hook.received);
    const messages = new Set(harness.hook.received.map((target) => target.headers["webhook-id"]));
    expect(harness.hook.received.length - messages.size).toBeLessThanOrEqual(
      IN_FLIGHT.has(failpoint) ? 1 : 0,
    );
    expect(await harness.deadLetters()).toEqual([]);
  },
);

test("killing and emptying Redis loses neither a waiting group nor a notification", async () => {
  await using harness = await startNotifierHarness();
  harness.hook.answer({ status: 503 });
  await harness.start({ notifier: { route: { groupWait: "3s", groupInterval: "3s" } } });
  const failed = await harness.publishEvent("failed", "web");
  await harness.hook.waitFor(() => true);
  const stalled = await harness.publishEvent("stalled", "api");
  await waitFor(
    async () =>
      (await harness.records()).some(
        (target) => target.type === "group" && target.events.some(({ id }) => id === stalled),
      ),
    { message: "the group to have the event" },
  );
  await harness.redis.restart({ empty: true });
  harness.hook.answer({});
  await harness.waitIdle(60_000);
  expect(receivedIds(harness.hook.received)).toEqual(new Set([failed, stalled]));
  expectOneIdEach(harness.hook.received);
});

function isStopped(pid: number): boolean {
  const { stdout } = spawnSync("ps", ["-o", "state=", "-p", String(pid)], { encoding: "utf8" });
  return stdout.trim().startsWith("T");
}

test.each([
  {
    what: "Redis, emptied,",
    restart: (harness: NotifierHarness) => harness.redis.restart({ empty: true }),
  },
  { what: "NATS", restart: (harness: NotifierHarness) => harness.nats.restart() },
])(
  "$what is killed between any two failpoints while 500 outcomes go to three receivers",
  async (target) => {
    await using harness = await startNotifierHarness();
    await using second = await startReceiver();
    await using third = await startReceiver();
    const hooks = [harness.hook, second, third];
    const receivers = hooks.map((hook, i) => hookReceiver(hook, { name: `hook-${i}` }));
    const service = await harness.start({
      notifier: { receivers, route: { groupWait: "500ms", groupInterval: "500ms" } },
      env: { ROLLCAST_TEST_STOP_AT: WEBHOOK_FAILPOINTS.join() },
    });
    const ids = new Set<string>();
    const tellMore = async () => {
      const more = Array.from({ length: 50 }, (_, i) =>
        harness.publishEvent(i % 5 === 0 ? "failed" : "succeeded", `web-${ids.size + i}`),
      );
      for (const id of await Promise.all(more)) ids.add(id);
    };
    for (const _ of WEBHOOK_FAILPOINTS) {
      if (ids.size < 500) await tellMore();
      await waitFor(() => isStopped(service.pid), {
        timeout: 60_000,
        message: "the next failpoint",
      });
      await target.restart(harness);
      process.kill(service.pid, "SIGCONT");
    }
    while (ids.size < 500) await tellMore();
    await waitFor(() => hooks.every((hook) => receivedIds(hook.received).size === ids.size), {
      timeout: 60_000,
      message: "every outcome at every receiver",
    });
    await harness.waitAcknowledged();
    await harness.waitIdle(60_000);
    for (const { received } of hooks) {
      expect(receivedIds(received)).toEqual(ids);
      expectOneIdEach(received);
      const messages = new Set(received.map(({ headers }) => headers["webhook-id"]));
      // Two groups, by outcome: no more than one message of each was in flight at a kill.
      expect(received.length - messages.size).toBeLessThanOrEqual(2 * WEBHOOK_FAILPOINTS.length);
    }
    expect(await harness.deadLetters()).toEqual([]);
  },
);

test("500 outcomes reach three receivers while notifier, Redis and NATS are killed", async () => {
  await using harness = await startNotifierHarness();
  await using second = await startReceiver();
  await using third = await startReceiver({ delayMs: 50 });
  const hooks = [harness.hook, second, third];
  const names = ["hook", "second", "third"];
  const receivers = hooks.map((hook, i) => hookReceiver(hook, { name: names[i] }));
  const notifier = { receivers, route: { groupWait: "500ms", groupInterval: "500ms" } };
  await harness.start({ notifier });
  const ids = new Set<string>();
  const tellSome = async (count: number) => {
    for (let i = 0; i < count; i += 25) {
      const more = Array.from({ length: 25 }, (_, j) => {
        const outcome = j % 5 === 0 ? "failed" : "succeeded";
        return harness.publishEvent(outcome, `web-${ids.size + j}`);
      });
      for (const id of await Promise.all(more)) ids.add(id);
    }
  };
  const kill = async () => {
    await harness.services.at(-1)?.kill("SIGKILL");
    await harness.start({ notifier, wait: false });
  };
  await tellSome(125);
  await kill();
  await tellSome(125);
  await harness.redis.restart({ empty: true });
  await tellSome(125);
  await harness.nats.restart();
  await kill();
  await tellSome(125);
  await waitFor(() => hooks.every((hook) => receivedIds(hook.received).size === ids.size), {
    timeout: 90_000,
    message: "every outcome at every receiver",
  });
  await harness.waitAcknowledged();
  await harness.waitIdle(60_000);
  expect(ids.size).toBe(500);
  for (const { received } of hooks) {
    expect(receivedIds(received)).toEqual(ids);
    expectOneIdEach(received);
    const messages = new Set(received.map((target) => target.headers["webhook-id"]));
    // Four deaths, two groups: no more than these were in flight.
    expect(received.length - messages.size).toBeLessThanOrEqual(8);
    expect(messages.size).toBeLessThan(100);
  }
});

test("500 workloads rolled by one change are one message", async () => {
  await using harness = await startNotifierHarness();
  await harness.start({ notifier: { route: { groupWait: "10s", groupInterval: "10s" } } });
  const ids = new Set<string>();
  for (let i = 0; i < 500; i += 50) {
    const more = Array.from({ length: 50 }, (_, j) =>
      harness.publishEvent("succeeded", `web-${i + j}`),
    );
    for (const id of await Promise.all(more)) ids.add(id);
  }
  await harness.hook.waitFor(() => true);
  await harness.waitAcknowledged();
  await harness.waitIdle();
  expect(harness.hook.received).toHaveLength(1);
  expect(receivedIds(harness.hook.received)).toEqual(ids);
});

test("two notifiers send each outcome once", async () => {
  await using harness = await startNotifierHarness();
  const route = { groupBy: ["workload"], groupWait: "100ms", groupInterval: "1s" };
  const receivers = [hookReceiver(harness.hook, { rateLimit: { max: 200 } })];
  await Promise.all([
    harness.start({ notifier: { receivers, route } }),
    harness.start({ notifier: { receivers, route } }),
  ]);
  const ids = new Set<string>();
  for (let i = 0; i < 200; i += 50) {
    const more = Array.from({ length: 50 }, (_, j) =>
      harness.publishEvent("succeeded", `web-${(i + j) % 100}`),
    );
    for (const id of await Promise.all(more)) ids.add(id);
  }
  await harness.waitAcknowledged();
  await harness.waitIdle();
  expect(receivedIds(harness.hook.received)).toEqual(ids);
  const messages = new Set(harness.hook.received.map((target) => target.headers["webhook-id"]));
  expect(messages.size).toBe(harness.hook.received.length);
  expectOneIdEach(harness.hook.received);
});
