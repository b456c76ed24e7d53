import type { AnyObject } from "@rollcast/testkit/test-api";
import { startCluster } from "@rollcast/testkit/cluster";
import { expect, test } from "vitest";
import { bindVolumes } from "./apply.ts";
import { adopted, change, demo, ready, rolls, runInstallation } from "./installation.ts";
import type { Node } from "./kubelet.ts";
import { helmRelease } from "./release.ts";
import { temporaryDir } from "./temporary.ts";

const NAMESPACE = "rollcast";
const THREE = ["notifier", "restarter", "watcher"];

test("`helm upgrade` leads from three services to one process and back: nothing is rolled for it, and what changes meanwhile is rolled once", async () => {
  await using undo = new AsyncDisposableStack();
  const cluster = undo.use(await startCluster());
  const { api, url, caFile } = cluster;
  const { dir } = undo.use(await temporaryDir("shape"));
  await api.create("/api/v1/namespaces", { metadata: { name: "demo" } });
  await demo(api, "demo");
  const release = helmRelease(cluster, NAMESPACE);
  const node: Node = { api, url, caFile, namespace: NAMESPACE, dir, hosts: new Map() };
  /** Runs what is installed now, until its work is done and nothing is left to do. */
  const run = async (user: string, work: () => Promise<void>) => {
    await using installation = await runInstallation(node, await release.objects());
    for (const service of installation.services) await ready(service);
    await work();
    await adopted(node, user);
    const lines = installation.services.flatMap(({ lines: own }) => own).join("\n");
    expect(lines).not.toMatch(/Forbidden|NOPERM/);
  };
  const processes = async () => {
    const path = `/apis/apps/v1/namespaces/${NAMESPACE}/deployments`;
    const { items } = await api.get<{ items: AnyObject[] }>(path);
    return items.map(({ metadata }) => metadata.name.replace("rollcast-", "")).toSorted();
  };

  await release.install();
  await bindVolumes(api, NAMESPACE);
  expect(await processes()).toEqual(THREE);
  await run("restarter", async () => {
    await adopted(node);
    await change(api, "demo", "1");
    await rolls(api, "demo", 2);
  });

  await change(api, "demo", "2");
  await release.upgrade("allInOne.enabled=true");
  expect(await processes()).toEqual(["all-in-one"]);
  await run("all-in-one", () => rolls(api, "demo", 3));

  await release.upgrade("allInOne.enabled=false");
  expect(await processes()).toEqual(THREE);
  // Were something rolled for the new shape, this were the fifth.
  await run("restarter", async () => {
    await adopted(node);
    await change(api, "demo", "3");
    await rolls(api, "demo", 4);
  });
  await rolls(api, "demo", 4);
});
