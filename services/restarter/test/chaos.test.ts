import { setTimeout as sleep } from "node:timers/promises";
import { eventOutcome } from "@rollcast/shared/events";
import type { Rule } from "@rollcast/testkit/fault-proxy";
import { waitFor } from "@rollcast/testkit/wait";
import { expect, test } from "vitest";
import { faultsOf, startRestarterHarness } from "./harness.ts";
import type { RestarterHarness } from "./harness.ts";

const COUNT = 200;

async function countOf(harness: RestarterHarness, outcome: string): Promise<number> {
  return (await harness.events()).filter((event) => eventOutcome(event.type).outcome === outcome)
    .length;
}

/** Waits until some rollouts have started, so that what follows happens during the others. */
async function inTheMiddle(harness: RestarterHarness, from: number): Promise<void> {
  await waitFor(async () => (await countOf(harness, "started")) >= from + COUNT / 10, {
    message: "the first rollouts to start",
    timeout: 60_000,
    every: 20,
  });
}

/** What happened to a workload: its events, and what the restarters logged about it. */
async function historyOf(harness: RestarterHarness, name: string): Promise<string> {
  const events = (await harness.events()).filter(({ subject }) => subject?.endsWith(`/${name}`));
  const logs = harness.services.map(({ pid, logs: lines }) => ({
    pid,
    lines: lines.filter((line) => JSON.stringify(line).includes(`"name":"${name}"`)),
  }));
  return JSON.stringify({ name, events, record: await harness.record(name), logs }, undefined, 1);
}

/** Every workload was rolled exactly `times` times, and every rollout has one end. */
async function expectRolled(
  harness: RestarterHarness,
  names: readonly string[],
  times: number,
): Promise<void> {
  await harness.waitAll(names, 120_000);
  for (const name of names) {
    const { generation } = (await harness.get(name)).metadata;
    const isWrong = generation !== 1 + times;
    expect(generation, isWrong ? await historyOf(harness, name) : name).toBe(1 + times);
  }
  const events = await harness.events();
  expect(faultsOf(events)).toEqual([]);
  expect(events.filter((event) => eventOutcome(event.type).outcome === "started")).toHaveLength(
    COUNT * times,
  );
}

test("Redis killed and emptied, NATS killed, during 200 rollouts: all end, none twice", async () => {
  await using harness = await startRestarterHarness();
  await harness.adopt("cfg", "0");
  const names = await harness.deployMany(COUNT);
  await Promise.all([harness.start(), harness.start()]);
  await harness.waitAll(names);

  await harness.change("cfg", "1");
  await inTheMiddle(harness, 0);
  await harness.redis.restart({ empty: true });
  await expectRolled(harness, names, 1);

  await harness.change("cfg", "2");
  await inTheMiddle(harness, COUNT);
  await harness.nats.kill();
  await sleep(2_000);
  await harness.nats.restart();
  await expectRolled(harness, names, 2);
});

test("restarters killed at every failpoint, next to one that lives: all end, none twice", async () => {
  await using harness = await startRestarterHarness();
  await harness.adopt("cfg", "0");
  const names = await harness.deployMany(COUNT);
  await harness.start();
  await harness.waitAll(names);
  const rounds = [
    ["record-read", "pending-written", "patched", "started-published"],
    ["rolling-written", "end-written", "end-published"],
  ];
  let times = 0;
  for (const steps of rounds) {
    const victims = await Promise.all(
      steps.map((failpoint) => harness.start({ env: { ROLLCAST_TEST_KILL_AT: `${failpoint}:3` } })),
    );
    const alive = () => victims.filter((victim) => !victim.hasExited());
    // Which replica reaches which failpoint is random: a change may pass before a victim reaches
    // its own.
    for (let attempts = 0; attempts < 8 && alive().length > 0; attempts++) {
      await harness.change("cfg", `change ${++times}`);
      await expectRolled(harness, names, times);
    }
    for (const [i, victim] of victims.entries()) {
      expect(victim.hasExited(), `killed at ${steps[i]}`).toBe(true);
      expect(await victim.exited, `killed at ${steps[i]}`).toBe("SIGKILL");
    }
  }
}, 400_000);

const SICK: { name: string; rules: Rule[]; lastsMs: number }[] = [
  {
    name: "answers 429 with Retry-After",
    rules: [{ method: "PATCH", fault: { do: "answer", status: 429, retryAfter: 1 }, share: 0.5 }],
    lastsMs: 4_000,
  },
  {
    name: "answers 500",
    rules: [{ method: "PATCH", fault: { do: "answer", status: 500 }, share: 0.5 }],
    lastsMs: 4_000,
  },
  {
    name: "drops connections, also after it has carried the patch out",
    rules: [
      { method: "PATCH", fault: { do: "reset", late: true }, share: 0.3 },
      { method: "PATCH", fault: { do: "reset" }, share: 0.3 },
    ],
    lastsMs: 4_000,
  },
  {
    name: "stalls for 20 s, watches too",
    rules: [{ path: /./, fault: { do: "stall" } }],
    lastsMs: 20_000,
  },
];

test("a faulty API server during 200 rollouts: all end, none twice", async () => {
  await using harness = await startRestarterHarness({ faultProxy: true });
  const { proxy } = harness;
  await harness.adopt("cfg", "0");
  const names = await harness.deployMany(COUNT);
  await Promise.all([harness.start(), harness.start()]);
  await harness.waitAll(names);
  for (const [i, { name, rules, lastsMs }] of SICK.entries()) {
    await harness.change("cfg", name);
    await inTheMiddle(harness, i * COUNT);
    proxy.rules(rules);
    await sleep(lastsMs);
    proxy.rules([]);
    await expectRolled(harness, names, i + 1);
  }
}, 400_000);
