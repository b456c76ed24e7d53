import { startFaultProxy } from "@rollcast/testkit/fault-proxy";
import { createNamespace } from "@rollcast/testkit/objects";
import { startService } from "@rollcast/testkit/services";
import { useCluster } from "@rollcast/testkit/shared-cluster";
import { waitFor } from "@rollcast/testkit/wait";
import { expect, test } from "vitest";
import { changeObject, churn, createObject, each } from "./churn.ts";
import { expectConsistent } from "./consistency.ts";
import { configOf, startHarness, startInProcess } from "./harness.ts";

const cluster = useCluster();
const { api } = cluster;
const COUNT = 100;

async function setUp(count = COUNT) {
  const stack = new AsyncDisposableStack();
  const { name: namespace } = stack.use(await createNamespace(api, "outages"));
  await each(count, (i) => createObject(api, namespace, i));
  const harness = stack.use(await startHarness(cluster.dir));
  const scope = { namespaces: [namespace] };
  return { namespace, harness, scope, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

test("NATS is killed, and comes back, while objects change", async () => {
  await using t = await setUp();
  const { namespace, harness, scope } = t;
  await using watcher = await startInProcess({ harness, cluster, scope });

  for (const round of ["a", "b"]) {
    await Promise.all([
      churn(api, namespace, COUNT, round),
      harness.server.kill().then(() => harness.server.restart()),
    ]);
  }
  await harness.server.kill();
  await churn(api, namespace, COUNT, "c");
  // What is in flight is bounded: the rest waits in the API server's connection.
  const inHand = /^rollcast_sources_in_flight (\d+)/m.exec(await watcher.metrics.text())?.[1];
  expect(Number(inHand)).toBeLessThanOrEqual(256);
  expect(Number(inHand)).toBeGreaterThan(0);
  await harness.server.restart();

  await expectConsistent(harness, api, namespace);
});

test("NATS loses everything: the next start is a first sync and publishes nothing", async () => {
  await using t = await setUp(20);
  const { namespace, harness, scope } = t;
  {
    await using _watcher = await startInProcess({ harness, cluster, scope });
    await changeObject(api, namespace, 1, "1");
    await waitFor(async () => (await harness.events()).length === 1);
  }
  await using fresh = await startHarness(cluster.dir);
  await using _watcher = await startInProcess({ harness: fresh, cluster, scope });

  await expectConsistent(fresh, api, namespace);
  expect(await fresh.events()).toEqual([]);
});

test("SIGTERM while NATS is away ends in time, with 0, and work in flight is published later", async () => {
  await using t = await setUp(20);
  const { namespace, harness, scope } = t;
  const start = () =>
    startService("watcher", {
      config: { ...configOf(scope), installationKey: { file: harness.keyFile } },
      kubeconfig: cluster.kubeconfig,
      natsUrl: harness.server.url,
    });
  {
    await using service = await start();
    await service.waitReady();
    await harness.server.kill();
    await each(20, (i) => changeObject(api, namespace, i, "1"));
    await waitFor(async () => {
      const text = await (await fetch(`${service.http()}/metrics`)).text();
      return text.includes("rollcast_sources_in_flight 20");
    });
    expect(await service.kill()).toBe(0);
  }
  await harness.server.restart();
  await using service = await start();
  await service.waitReady();

  await expectConsistent(harness, api, namespace);
  expect(await harness.events()).toHaveLength(20);
});

test("not ready before the first sync, even if the API server does not answer", async () => {
  await using t = await setUp(4);
  const { namespace, harness, scope } = t;
  await using proxy = await startFaultProxy(cluster);
  proxy.rules([{ path: /\/secrets\?/, fault: { do: "stall" } }]);
  await using watcher = await startInProcess({ harness, cluster, scope, url: proxy.url }, false);

  // Everything else is ready by then.
  await waitFor(() => watcher.ready() === `Secret in ${namespace}: not synced`);
  proxy.rules([]);
  proxy.cut();
  await waitFor(() => watcher.ready() === undefined);
  await expectConsistent(harness, api, namespace);
});
