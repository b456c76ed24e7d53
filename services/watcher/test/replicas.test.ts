import { setTimeout as sleep } from "node:timers/promises";
import { waitFor } from "@rollcast/testkit/wait";
import { expect, test } from "vitest";
import { changeObject, churn, createObject, each } from "./churn.ts";
import { expectConsistent } from "./consistency.ts";
import { startWatcherHarness } from "./harness.ts";

const COUNT = 100;
/** How long the objects change while one of the replicas is killed again and again. */
const CHANGES_MS = 60_000;

test("two replicas, one killed at random for a minute of changes: every change once", async () => {
  await using harness = await startWatcherHarness();
  const { api, namespace } = harness;
  await each(COUNT, (i) => createObject(api, namespace, i));
  await using stays = await harness.start();
  const end = Date.now() + CHANGES_MS;
  let rounds = 0;
  let kills = 0;
  const change = async () => {
    while (Date.now() < end) await churn(api, namespace, COUNT, `round-${rounds++}`);
  };
  const kill = async () => {
    while (Date.now() < end) {
      await using dying = await harness.start({ wait: false });
      // At random, so that it also dies before it is ready.
      await sleep(300 + Math.random() * 3_000);
      await dying.kill("SIGKILL");
      kills++;
    }
  };
  await Promise.all([change(), kill()]);

  await expectConsistent(harness);
  expect(kills).toBeGreaterThan(10);
  expect(rounds).toBeGreaterThan(10);
  expect((await fetch(`${stays.http()}/livez`)).status).toBe(200);
});

test("two replicas that observe the same change publish it once, and their caches agree", async () => {
  await using harness = await startWatcherHarness();
  const { api, namespace } = harness;
  await each(20, (i) => createObject(api, namespace, i));
  await using a = await harness.startInProcess();
  await using b = await harness.startInProcess();

  await each(20, (i) => changeObject(api, namespace, i, "1"));
  await waitFor(async () => (await harness.events()).length === 20);
  await expectConsistent(harness);

  expect(await harness.events()).toHaveLength(20);
  const texts = [await a.metrics.text(), await b.metrics.text()];
  const stored = texts.map((text) => Number(/result="stored"\} (\d+)/.exec(text)?.[1]));
  expect((stored[0] ?? 0) + (stored[1] ?? 0)).toBe(20);
  for (const text of texts) expect(text).toContain("rollcast_outbox_pending 0");
});
