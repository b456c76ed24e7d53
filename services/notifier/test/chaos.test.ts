import { spawnSync } from "node:child_process";
import process from "node:process";
import { expect, test } from "vitest";
import { startReceiver } from "@rollcast/testkit/receiver";
import type { Received } from "@rollcast/testkit/receiver";
import { waitFor } from "@rollcast/testkit/wait";
import { STEPS } from "../src/failpoints.ts";
import type { Step } from "../src/failpoints.ts";
import { hookReceiver, startRig } from "./harness.ts";
import { toldIds, webhookIds } from "./received.ts";
import type { Rig } from "./harness.ts";

/** What a receiver makes of duplicates: each event has one webhook-id, however often it came. */
function expectOneIdEach(received: readonly Received[]): void {
  for (const ids of webhookIds(received).values()) expect(ids.size).toBe(1);
}

/** Steps at which a message may be under way to the receiver: only there may one come twice. */
const IN_FLIGHT: ReadonlySet<Step> = new Set(["turn-added", "answered"]);

/** Every step but those of receivers that edit, and of operators. */
const WEBHOOK_STEPS = STEPS.filter((step) => step !== "posted" && step !== "letter-revived");

test.for(WEBHOOK_STEPS)("killed at %s, it repeats at most the same message", async (step) => {
  await using rig = await startRig();
  const first = await rig.start({ env: { ROLLCAST_TEST_KILL_AT: step } });
  const ids = [await rig.tell("failed", "web"), await rig.tell("failed", "api")];
  expect(await first.exited).toBe("SIGKILL");
  await rig.start();
  await rig.waitAcknowledged();
  await rig.waitIdle();
  expect(toldIds(rig.hook.received)).toEqual(new Set(ids));
  expectOneIdEach(rig.hook.received);
  const messages = new Set(rig.hook.received.map((one) => one.headers["webhook-id"]));
  expect(rig.hook.received.length - messages.size).toBeLessThanOrEqual(IN_FLIGHT.has(step) ? 1 : 0);
  expect(await rig.deadLetters()).toEqual([]);
});

test("Redis killed and emptied loses neither a group that waits nor a notification", async () => {
  await using rig = await startRig();
  rig.hook.answer({ status: 503 });
  await rig.start({ notifier: { route: { groupWait: "3s", groupInterval: "3s" } } });
  const failed = await rig.tell("failed", "web");
  await rig.hook.waitFor(() => true);
  const stalled = await rig.tell("stalled", "api");
  await waitFor(
    async () =>
      (await rig.records()).some(
        (one) => one.type === "group" && one.events.some(({ id }) => id === stalled),
      ),
    { message: "the group to have the event" },
  );
  await rig.redis.restart({ empty: true });
  rig.hook.answer({});
  await rig.waitIdle(60_000);
  expect(toldIds(rig.hook.received)).toEqual(new Set([failed, stalled]));
  expectOneIdEach(rig.hook.received);
});

function isStopped(pid: number): boolean {
  const { stdout } = spawnSync("ps", ["-o", "state=", "-p", String(pid)], { encoding: "utf8" });
  return stdout.trim().startsWith("T");
}

test.each([
  { what: "Redis, emptied,", restart: (rig: Rig) => rig.redis.restart({ empty: true }) },
  { what: "NATS", restart: (rig: Rig) => rig.nats.restart() },
])(
  "$what is killed between any two steps while 500 outcomes go to three receivers",
  async (one) => {
    await using rig = await startRig();
    await using second = await startReceiver();
    await using third = await startReceiver();
    const hooks = [rig.hook, second, third];
    const receivers = hooks.map((hook, i) => hookReceiver(hook, { name: `hook-${i}` }));
    const service = await rig.start({
      notifier: { receivers, route: { groupWait: "500ms", groupInterval: "500ms" } },
      env: { ROLLCAST_TEST_STOP_AT: WEBHOOK_STEPS.join() },
    });
    const ids = new Set<string>();
    const tellMore = async () => {
      const more = Array.from({ length: 50 }, (_, i) =>
        rig.tell(i % 5 === 0 ? "failed" : "succeeded", `web-${ids.size + i}`),
      );
      for (const id of await Promise.all(more)) ids.add(id);
    };
    for (const _ of WEBHOOK_STEPS) {
      if (ids.size < 500) await tellMore();
      await waitFor(() => isStopped(service.pid), { timeout: 60_000, message: "the next step" });
      await one.restart(rig);
      process.kill(service.pid, "SIGCONT");
    }
    while (ids.size < 500) await tellMore();
    await waitFor(() => hooks.every((hook) => toldIds(hook.received).size === ids.size), {
      timeout: 60_000,
      message: "every outcome at every receiver",
    });
    await rig.waitAcknowledged();
    await rig.waitIdle(60_000);
    for (const { received } of hooks) {
      expect(toldIds(received)).toEqual(ids);
      expectOneIdEach(received);
      const messages = new Set(received.map(({ headers }) => headers["webhook-id"]));
      // Two groups, by outcome: no more than one message of each was in flight at a kill.
      expect(received.length - messages.size).toBeLessThanOrEqual(2 * WEBHOOK_STEPS.length);
    }
    expect(await rig.deadLetters()).toEqual([]);
  },
);

test("500 outcomes reach three receivers while notifier, Redis and NATS are killed", async () => {
  await using rig = await startRig();
  await using second = await startReceiver();
  await using third = await startReceiver({ delayMs: 50 });
  const hooks = [rig.hook, second, third];
  const names = ["hook", "second", "third"];
  const receivers = hooks.map((hook, i) => hookReceiver(hook, { name: names[i] }));
  const notifier = { receivers, route: { groupWait: "500ms", groupInterval: "500ms" } };
  await rig.start({ notifier });
  const ids = new Set<string>();
  const tellSome = async (count: number) => {
    for (let i = 0; i < count; i += 25) {
      const more = Array.from({ length: 25 }, (_, j) => {
        const outcome = j % 5 === 0 ? "failed" : "succeeded";
        return rig.tell(outcome, `web-${ids.size + j}`);
      });
      for (const id of await Promise.all(more)) ids.add(id);
    }
  };
  const kill = async () => {
    await rig.notifiers.at(-1)?.kill("SIGKILL");
    await rig.start({ notifier, wait: false });
  };
  await tellSome(125);
  await kill();
  await tellSome(125);
  await rig.redis.restart({ empty: true });
  await tellSome(125);
  await rig.nats.restart();
  await kill();
  await tellSome(125);
  await waitFor(() => hooks.every((hook) => toldIds(hook.received).size === ids.size), {
    timeout: 90_000,
    message: "every outcome at every receiver",
  });
  await rig.waitAcknowledged();
  await rig.waitIdle(60_000);
  expect(ids.size).toBe(500);
  for (const { received } of hooks) {
    expect(toldIds(received)).toEqual(ids);
    expectOneIdEach(received);
    const messages = new Set(received.map((one) => one.headers["webhook-id"]));
    // Four deaths, two groups: no more than these were in flight.
    expect(received.length - messages.size).toBeLessThanOrEqual(8);
    expect(messages.size).toBeLessThan(100);
  }
});

test("500 workloads rolled by one change are one message", async () => {
  await using rig = await startRig();
  await rig.start({ notifier: { route: { groupWait: "10s", groupInterval: "10s" } } });
  const ids = new Set<string>();
  for (let i = 0; i < 500; i += 50) {
    const more = Array.from({ length: 50 }, (_, j) => rig.tell("succeeded", `web-${i + j}`));
    for (const id of await Promise.all(more)) ids.add(id);
  }
  await rig.hook.waitFor(() => true);
  await rig.waitAcknowledged();
  await rig.waitIdle();
  expect(rig.hook.received).toHaveLength(1);
  expect(toldIds(rig.hook.received)).toEqual(ids);
});

test("two notifiers tell each outcome once", async () => {
  await using rig = await startRig();
  const route = { groupBy: ["workload"], groupWait: "100ms", groupInterval: "1s" };
  const receivers = [hookReceiver(rig.hook, { rateLimit: { max: 200 } })];
  await Promise.all([
    rig.start({ notifier: { receivers, route } }),
    rig.start({ notifier: { receivers, route } }),
  ]);
  const ids = new Set<string>();
  for (let i = 0; i < 200; i += 50) {
    const more = Array.from({ length: 50 }, (_, j) =>
      rig.tell("succeeded", `web-${(i + j) % 100}`),
    );
    for (const id of await Promise.all(more)) ids.add(id);
  }
  await rig.waitAcknowledged();
  await rig.waitIdle();
  expect(toldIds(rig.hook.received)).toEqual(ids);
  const messages = new Set(rig.hook.received.map((one) => one.headers["webhook-id"]));
  expect(messages.size).toBe(rig.hook.received.length);
  expectOneIdEach(rig.hook.received);
});
