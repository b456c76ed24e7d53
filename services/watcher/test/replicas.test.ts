import { setTimeout as sleep } from "node:timers/promises";
import { createNamespace } from "@rollcast/testkit/objects";
import { startService } from "@rollcast/testkit/services";
import { useCluster } from "@rollcast/testkit/shared-cluster";
import { waitFor } from "@rollcast/testkit/wait";
import { expect, test } from "vitest";
import { changeOne, churn, createOne, each } from "./churn.ts";
import { expectConsistent } from "./consistency.ts";
import { configOf, startHarness, startInProcess } from "./harness.ts";

const cluster = useCluster();
const { api } = cluster;
const COUNT = 100;
/** How long the objects change while one of the replicas is killed again and again. */
const CHANGES_MS = 60_000;

test("two replicas, one killed at random for a minute of changes: every change once", async () => {
  await using ns = await createNamespace(api, "replicas");
  const namespace = ns.name;
  await each(COUNT, (i) => createOne(api, namespace, i));
  await using harness = await startHarness(cluster.dir);
  const start = () =>
    startService("watcher", {
      config: {
        ...configOf({ namespaces: [namespace] }),
        installationKey: { file: harness.keyFile },
      },
      kubeconfig: cluster.kubeconfig,
      natsUrl: harness.server.url,
    });
  await using stays = await start();
  await stays.waitReady();
  const end = Date.now() + CHANGES_MS;
  let rounds = 0;
  let kills = 0;
  const change = async () => {
    while (Date.now() < end) await churn(api, namespace, COUNT, `round-${rounds++}`);
  };
  const kill = async () => {
    while (Date.now() < end) {
      await using dying = await start();
      // At random, so that it also dies before it is ready.
      await sleep(300 + Math.random() * 3_000);
      await dying.kill("SIGKILL");
      kills++;
    }
  };
  await Promise.all([change(), kill()]);

  await expectConsistent(harness, api, namespace);
  expect(kills).toBeGreaterThan(10);
  expect(rounds).toBeGreaterThan(10);
  expect((await fetch(`${stays.http()}/livez`)).status).toBe(200);
});

test("two replicas that observe the same change publish it once, and their caches agree", async () => {
  await using ns = await createNamespace(api, "replicas");
  const namespace = ns.name;
  await each(20, (i) => createOne(api, namespace, i));
  await using harness = await startHarness(cluster.dir);
  const scope = { namespaces: [namespace] };
  await using a = await startInProcess({ harness, cluster, scope });
  await using b = await startInProcess({ harness, cluster, scope });

  await each(20, (i) => changeOne(api, namespace, i, "1"));
  await waitFor(async () => (await harness.events()).length === 20);
  await expectConsistent(harness, api, namespace);

  expect(await harness.events()).toHaveLength(20);
  const texts = [await a.metrics.text(), await b.metrics.text()];
  const stored = texts.map((text) => Number(/result="stored"\} (\d+)/.exec(text)?.[1]));
  expect((stored[0] ?? 0) + (stored[1] ?? 0)).toBe(20);
  for (const text of texts) expect(text).toContain("rollcast_outbox_pending 0");
});
