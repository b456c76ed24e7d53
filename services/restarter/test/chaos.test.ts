import { setTimeout as sleep } from "node:timers/promises";
import { eventOutcome } from "@rollcast/shared/events";
import type { Rule } from "@rollcast/testkit/fault-proxy";
import { waitFor } from "@rollcast/testkit/wait";
import { expect, test } from "vitest";
import { faultsOf, startRig } from "./rig.ts";
import type { Rig } from "./rig.ts";

const COUNT = 200;

async function countOf(rig: Rig, outcome: string): Promise<number> {
  return (await rig.events()).filter((event) => eventOutcome(event.type).outcome === outcome)
    .length;
}

/** Waits until some rollouts have started, so that what follows happens during the others. */
async function inTheMiddle(rig: Rig, from: number): Promise<void> {
  await waitFor(async () => (await countOf(rig, "started")) >= from + COUNT / 10, {
    message: "the first rollouts to start",
    timeout: 60_000,
    every: 20,
  });
}

/** What happened to a workload: its events, and what the restarters logged about it. */
async function historyOf(rig: Rig, name: string): Promise<string> {
  const events = (await rig.events()).filter(({ subject }) => subject?.endsWith(`/${name}`));
  const logs = rig.services.map(({ pid, logs: lines }) => ({
    pid,
    lines: lines.filter((line) => JSON.stringify(line).includes(`"name":"${name}"`)),
  }));
  return JSON.stringify({ name, events, record: await rig.record(name), logs }, undefined, 1);
}

/** Every workload was rolled exactly `times` times, and every rollout has one end. */
async function expectRolled(rig: Rig, names: readonly string[], times: number): Promise<void> {
  await rig.waitAll(names, 120_000);
  for (const name of names) {
    const { generation } = (await rig.get(name)).metadata;
    const isWrong = generation !== 1 + times;
    expect(generation, isWrong ? await historyOf(rig, name) : name).toBe(1 + times);
  }
  const events = await rig.events();
  expect(faultsOf(events)).toEqual([]);
  expect(events.filter((event) => eventOutcome(event.type).outcome === "started")).toHaveLength(
    COUNT * times,
  );
}

test("Redis killed and emptied, NATS killed, during 200 rollouts: all end, none twice", async () => {
  await using rig = await startRig();
  await rig.adopt("cfg", "0");
  const names = await rig.deployMany(COUNT);
  await Promise.all([rig.start(), rig.start()]);
  await rig.waitAll(names);

  await rig.change("cfg", "1");
  await inTheMiddle(rig, 0);
  await rig.redis.restart({ empty: true });
  await expectRolled(rig, names, 1);

  await rig.change("cfg", "2");
  await inTheMiddle(rig, COUNT);
  await rig.nats.kill();
  await sleep(2_000);
  await rig.nats.restart();
  await expectRolled(rig, names, 2);
});

test("restarters killed at every failpoint, next to one that lives: all end, none twice", async () => {
  await using rig = await startRig();
  await rig.adopt("cfg", "0");
  const names = await rig.deployMany(COUNT);
  await rig.start();
  await rig.waitAll(names);
  const rounds = [
    ["record-read", "pending-written", "patched", "started-published"],
    ["rolling-written", "end-written", "end-published"],
  ];
  let times = 0;
  for (const steps of rounds) {
    const victims = await Promise.all(
      steps.map((failpoint) => rig.start({ env: { ROLLCAST_TEST_KILL_AT: `${failpoint}:3` } })),
    );
    const alive = () => victims.filter((victim) => !victim.hasExited());
    // Which replica reaches which failpoint is random: a change may pass before a victim reaches
    // its own.
    for (let attempts = 0; attempts < 8 && alive().length > 0; attempts++) {
      await rig.change("cfg", `change ${++times}`);
      await expectRolled(rig, names, times);
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
  await using rig = await startRig({ faultProxy: true });
  const { proxy } = rig;
  await rig.adopt("cfg", "0");
  const names = await rig.deployMany(COUNT);
  await Promise.all([rig.start(), rig.start()]);
  await rig.waitAll(names);
  for (const [i, { name, rules, lastsMs }] of SICK.entries()) {
    await rig.change("cfg", name);
    await inTheMiddle(rig, i * COUNT);
    proxy.rules(rules);
    await sleep(lastsMs);
    proxy.rules([]);
    await expectRolled(rig, names, i + 1);
  }
}, 400_000);
