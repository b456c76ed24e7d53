import { waitFor } from "@rollcast/testkit/wait";
import { expect, test } from "vitest";
import { changeObject, churn, createObject, each } from "./churn.ts";
import { expectConsistent, faultsOf } from "./consistency.ts";
import { startWatcherHarness } from "./harness.ts";
import type { WatcherHarness } from "./harness.ts";

const COUNT = 100;

/** A harness with objects in its namespace. */
async function setUp(count = COUNT, options = {}): Promise<WatcherHarness> {
  const harness = await startWatcherHarness(options);
  await each(count, (i) => createObject(harness.api, harness.namespace, i));
  return harness;
}

test("NATS is killed, and comes back, while objects change", async () => {
  await using harness = await setUp();
  const { api, namespace } = harness;
  await using watcher = await harness.startInProcess();

  for (const round of ["a", "b"]) {
    await Promise.all([
      churn(api, namespace, COUNT, round),
      harness.nats.kill().then(() => harness.nats.restart()),
    ]);
  }
  await harness.nats.kill();
  await churn(api, namespace, COUNT, "c");
  // What is in flight is bounded: the rest waits in the API server's connection.
  const inHand = /^rollcast_sources_in_flight (\d+)/m.exec(await watcher.metrics.text())?.[1];
  expect(Number(inHand)).toBeLessThanOrEqual(256);
  expect(Number(inHand)).toBeGreaterThan(0);
  await harness.nats.restart();

  await expectConsistent(harness);
});

test("NATS loses everything: the next start is a first sync and publishes nothing", async () => {
  await using harness = await setUp(20);
  const { api, namespace } = harness;
  {
    await using _watcher = await harness.startInProcess();
    await changeObject(api, namespace, 1, "1");
    await waitFor(async () => (await harness.events()).length === 1);
  }
  await using fresh = await startWatcherHarness();
  await using _watcher = await fresh.startInProcess({ scope: { namespaces: [namespace] } });

  await expectConsistent(fresh, { namespace });
  expect(await fresh.events()).toEqual([]);
});

test("records that NATS has lost while a watcher runs are written again, and the next change is one", async () => {
  await using harness = await setUp(4);
  const { api, kv, namespace } = harness;
  await using _watcher = await harness.startInProcess();
  await expectConsistent(harness);
  for (const key of (await harness.records()).keys()) {
    const entry = await kv.get(key);
    if (entry !== undefined) await kv.remove(key, entry.revision);
  }

  await waitFor(async () => (await faultsOf(harness)).length === 0, { timeout: 60_000 });
  expect(await harness.events()).toEqual([]);
  await changeObject(api, namespace, 1, "1");
  await waitFor(async () => (await harness.events()).length === 1);
  const [event] = await harness.events();
  expect(event?.data.reason).toBe("DataChanged");
});

test("SIGTERM while NATS is away ends in time, with 0, and work in flight is published later", async () => {
  await using harness = await setUp(20);
  const { api, namespace } = harness;
  {
    await using service = await harness.start();
    await harness.nats.kill();
    await each(20, (i) => changeObject(api, namespace, i, "1"));
    await waitFor(async () => {
      const text = await (await fetch(`${service.http()}/metrics`)).text();
      return text.includes("rollcast_sources_in_flight 20");
    });
    expect(await service.kill()).toBe(0);
  }
  await harness.nats.restart();
  await harness.start();

  await expectConsistent(harness);
  expect(await harness.events()).toHaveLength(20);
});

test("not ready before the first sync, even if the API server does not answer", async () => {
  await using harness = await setUp(4, { faultProxy: true });
  const { namespace, proxy } = harness;
  proxy.rules([{ path: /\/secrets\?/, fault: { do: "stall" } }]);
  await using watcher = await harness.startInProcess({ wait: false });

  // Everything else is ready by then.
  await waitFor(() => watcher.ready() === `Secret in ${namespace}: not synced`);
  proxy.rules([]);
  proxy.cut();
  await waitFor(() => watcher.ready() === undefined);
  await expectConsistent(harness);
});
