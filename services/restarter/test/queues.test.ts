import { setTimeout as sleep } from "node:timers/promises";
import { eventOutcome } from "@rollcast/shared/events";
import type { FaultProxy } from "@rollcast/testkit/fault-proxy";
import { paths } from "@rollcast/testkit/objects";
import { waitFor } from "@rollcast/testkit/wait";
import { expect, test } from "vitest";
import { faultsOf, startRestarterHarness } from "./harness.ts";
import type { RestarterHarness } from "./harness.ts";

/** How long each patch takes for the restarters. */
const PATCH_MS = 400;

/** Three restarters whose patches go through a proxy that makes each take {@link PATCH_MS}. */
async function startSlow(queue: object): Promise<RestarterHarness> {
  const config = { queues: [{ name: "default", window: "100ms", ...queue }] };
  const harness = await startRestarterHarness({ faultProxy: true, config });
  harness.proxy.rules([{ method: "PATCH", fault: { do: "delay", ms: PATCH_MS } }]);
  return harness;
}

function patchesOf(proxy: FaultProxy): number[] {
  return proxy.requests.filter(({ method }) => method === "PATCH").map(({ at }) => at);
}

/**
 * The maximum number of patches certainly in progress at once: each takes {@link PATCH_MS}, so
 * those that arrived within it overlap.
 */
function atOnce(times: readonly number[]): number {
  const counts = times.map(
    (from) => times.filter((time) => time >= from && time < from + PATCH_MS).length,
  );
  return Math.max(0, ...counts);
}

async function waitPatches(proxy: FaultProxy, count: number): Promise<void> {
  await waitFor(() => patchesOf(proxy).length >= count, {
    message: `${count} patches`,
    timeout: 60_000,
    every: 10,
  });
}

test("concurrency is enforced over three restarters, one killed, and can be changed while they work", async () => {
  await using harness = await startSlow({ concurrency: 3 });
  const { proxy } = harness;
  await harness.adopt("cfg", "0");
  const names = await harness.deployMany(90);
  const [victim] = await Promise.all([harness.start(), harness.start(), harness.start()]);
  await harness.waitAll(names);
  const { operations } = await harness.operate();

  await harness.change("cfg", "1");
  await waitPatches(proxy, 12);
  await victim.kill("SIGKILL");
  await waitPatches(proxy, 24);
  const before = patchesOf(proxy);
  expect(atOnce(before)).toBeLessThanOrEqual(3);
  expect(atOnce(before)).toBeGreaterThan(1);

  await operations.setQueue("default", { concurrency: 8 }, { by: "anna" });
  const raised = Date.now();
  await waitPatches(proxy, before.length + 40);
  const more = patchesOf(proxy).filter((time) => time > raised + 1_000);
  expect(atOnce(more)).toBeLessThanOrEqual(8);
  expect(atOnce(more)).toBeGreaterThan(3);

  await operations.setQueue("default", { concurrency: 1 }, { by: "anna" });
  const lowered = Date.now();
  await harness.waitAll(names);
  const few = patchesOf(proxy).filter((time) => time > lowered + 1_000 + PATCH_MS);
  expect(few.length).toBeGreaterThan(3);
  expect(atOnce(few)).toBe(1);
  expect(faultsOf(await harness.events())).toEqual([]);
  expect(operations.listQueues()[0]).toMatchObject({
    file: { concurrency: 20 },
    live: { concurrency: { value: 1, by: "anna" } },
    effective: { concurrency: 1 },
  });
});

/** The maximum that `max` per `per` allows in this time, for any window start and this lateness. */
function allowed(max: number, per: number, spanMs: number): number {
  return max * (Math.ceil((spanMs + 300) / per) + 1);
}

function expectRate(times: readonly number[], max: number, per: number): void {
  for (const [i, from] of times.entries()) {
    for (const [j, to] of times.slice(i).entries()) {
      expect(j + 1, `${j + 1} patches in ${to - from} ms`).toBeLessThanOrEqual(
        allowed(max, per, to - from),
      );
    }
  }
}

test("a rate limit is enforced over three restarters, one killed, and can be changed and removed while they work", async () => {
  await using harness = await startSlow({ concurrency: 20, rateLimit: { max: 5, per: "1s" } });
  const { proxy } = harness;
  await harness.adopt("cfg", "0");
  const names = await harness.deployMany(80);
  const [victim] = await Promise.all([harness.start(), harness.start(), harness.start()]);
  await harness.waitAll(names);
  const { operations } = await harness.operate();

  await harness.change("cfg", "1");
  await waitPatches(proxy, 10);
  await victim.kill("SIGKILL");
  await waitPatches(proxy, 20);
  expectRate(patchesOf(proxy), 5, 1_000);

  // A window of an hour must end when it is removed.
  await operations.setQueue("default", { rateLimit: { max: 2, per: 3_600_000 } }, { by: "anna" });
  const updated = Date.now();
  await waitFor(async () => Date.now() > updated + 4_000, {
    message: "four seconds of a slow rate",
  });
  const held = patchesOf(proxy).filter((time) => time > updated + 1_000);
  expect(held.length).toBeLessThanOrEqual(4);
  await operations.setQueue("default", { rateLimit: null }, { by: "anna" });
  await harness.waitAll(names, 20_000);
  expect(faultsOf(await harness.events())).toEqual([]);
});

test("settings name their author in events and expire by themselves, across a restart of everything", async () => {
  const queues = [
    { name: "default", window: "100ms" },
    { name: "slow", match: { workloadSelector: "never=here" }, concurrency: 1 },
  ];
  await using harness = await startRestarterHarness({ config: { queues } });
  await harness.adopt("cfg", "0");
  const names = await harness.deployMany(5);
  const first = await harness.start();
  await harness.waitAll(names);
  const { operations } = await harness.operate(queues);

  await expect(operations.setQueue("gone", { concurrency: 2 }, { by: "anna" })).rejects.toThrow(
    "there are: default, slow",
  );
  await expect(operations.setQueue("slow", { concurrency: 0 }, { by: "anna" })).rejects.toThrow(
    "concurrency",
  );
  await operations.setQueue("slow", { concurrency: 4, maxRolling: 2 }, { by: "anna" });
  const late = Date.now() + 3_600_000;
  await operations.pauseQueue("default", { by: "ben", until: late });
  await harness.change("cfg", "1");
  await harness.waitRecord("web-0", (record) => record.due?.reason === "QueuePaused");
  await first.kill("SIGKILL");
  await harness.redis.restart({ empty: true });
  await harness.nats.kill();
  await harness.nats.restart();
  await harness.start();
  await harness.change("cfg", "2");
  for (const name of names) {
    await harness.waitRecord(name, (record) => record.due?.reason === "QueuePaused");
  }
  expect(operations.listQueues()[0]?.live.paused).toMatchObject({ by: "ben", until: late });
  await operations.pauseQueue("default", { by: "ben", until: Date.now() + 2_000 });
  // Nobody resumes it: it expires by the clock, and everything rolls at once, with the last
  // content.
  await harness.waitAll(names);
  for (const name of names) expect((await harness.get(name)).metadata.generation).toBe(2);

  await waitFor(() => operations.listQueues()[0]?.live.paused === undefined);
  expect(operations.listQueues()[1]).toMatchObject({
    effective: { concurrency: 4, maxRolling: 2 },
    live: { concurrency: { by: "anna", value: 4 } },
  });
  await operations.resetQueue("slow", { by: "anna" });
  expect(operations.listQueues()[1]).toMatchObject({ effective: { concurrency: 1 }, live: {} });
  const published = await waitFor(async () => {
    const events = (await harness.events()).filter(
      (event) => eventOutcome(event.type).domain === "queue",
    );
    return events.length >= 5 ? events : undefined;
  });
  expect(
    published.map(({ type, data }) => ({ outcome: eventOutcome(type).outcome, ...data })),
  ).toEqual([
    { outcome: "updated", queue: "slow", by: "anna", limits: { concurrency: 4, maxRolling: 2 } },
    { outcome: "paused", queue: "default", by: "ben", until: new Date(late).toISOString() },
    { outcome: "paused", queue: "default", by: "ben", until: expect.any(String) },
    { outcome: "resumed", queue: "default", by: "rollcast", reason: "Expired" },
    { outcome: "reset", queue: "slow", by: "anna" },
  ]);
});

/** What is due anyway makes a lost job again, and must not hurry one that is there. */
test("a patch that waits for its retry waits as long as the queue says, also where its workload is looked at", async () => {
  const backoff = { initial: "1m", max: "1m" };
  const config = { queues: [{ name: "default", window: "100ms", backoff }] };
  await using harness = await startRestarterHarness({ faultProxy: true, config });
  const { api, namespace, proxy } = harness;
  await harness.adopt("cfg", "0");
  const [name = ""] = await harness.deployMany(1);
  await harness.start();
  await harness.waitAll([name]);
  proxy.rules([{ method: "PATCH", times: 1, fault: { do: "answer", status: 503 } }]);
  await harness.change("cfg", "1");
  await waitPatches(proxy, 1);

  // Its record is decided anew: the rollout is due, and there is a job.
  await api.patch(paths.deployment(namespace, name), {
    metadata: { annotations: { "rollcast.dev/min-interval": "1s" } },
  });
  await sleep(3_000);
  expect(patchesOf(proxy)).toHaveLength(1);

  await harness.change("cfg", "2");
  await harness.waitEvent("succeeded", name);
  expect(patchesOf(proxy)).toHaveLength(2);
});
