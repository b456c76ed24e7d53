import { setTimeout as sleep } from "node:timers/promises";
import { startCluster } from "@rollcast/testkit/cluster";
import { deployment } from "@rollcast/testkit/deployment";
import { NEVER_READY } from "@rollcast/testkit/kwok";
import { paths } from "@rollcast/testkit/objects";
import { daemonSet, pathOf, statefulSet } from "@rollcast/testkit/shapes";
import type { AnyObject } from "@rollcast/testkit/test-api";
import { waitFor } from "@rollcast/testkit/wait";
import { expect, test } from "vitest";
import { startRestarterHarness, wordsOf } from "./harness.ts";
import type { RestarterHarness } from "./harness.ts";
import { MARKER } from "../src/model/content.ts";

/** managedFields and the creation of pods have whole seconds. */
const SECOND_MS = 1_100;

const MANAGER = "kubectl-edit";

const SHAPE = { replicas: 1, uses: [{ as: "envFrom", configMap: "cfg" }] } as const;

const WORKLOADS = [
  { name: "web", plural: "deployments", make: deployment },
  { name: "db", plural: "statefulsets", make: statefulSet },
  { name: "agent", plural: "daemonsets", make: daemonSet },
  { name: "late", plural: "deployments", make: deployment },
  { name: "undone", plural: "deployments", make: deployment },
  { name: "fresh", plural: "deployments", make: deployment },
] as const;

type Name = (typeof WORKLOADS)[number]["name"];

/** What the owner of a workload does, always as the same manager. */
function ownerOf({ api, namespace }: RestarterHarness, name: Name) {
  const { plural, make } = WORKLOADS.find((each) => each.name === name) as (typeof WORKLOADS)[0];
  const all = pathOf("apps/v1", namespace, plural);
  const own = pathOf("apps/v1", namespace, plural, name);
  const edit = (patch: object) => api.patch(own, patch, MANAGER);
  return {
    create: () => api.create(`${all}?fieldManager=${MANAGER}`, make(namespace, name, SHAPE)),
    label: () => edit({ metadata: { labels: { by: "somebody" } } }),
    /** A pod counts as available after half a minute only. */
    slow: () => edit({ spec: { minReadySeconds: 30 } }),
    release: (annotations: object) => edit({ spec: { template: { metadata: { annotations } } } }),
    get: () => api.get<AnyObject>(own),
  };
}

/** Until the only pod of a workload runs and has an annotation. */
async function waitPod({ api, namespace }: RestarterHarness, name: Name, annotations: object) {
  await waitFor(
    async () => {
      const { items } = await api.get<{ items: readonly AnyObject[] }>(paths.pod(namespace));
      const own = items.filter(({ metadata }) => metadata.labels?.app === name);
      const [pod] = own;
      const { phase } = (pod?.status ?? {}) as { phase?: string };
      if (own.length !== 1 || phase !== "Running") return false;
      const entries = Object.entries(annotations);
      return entries.every(([key, value]) => pod?.metadata.annotations?.[key] === value);
    },
    { message: `the pod of ${name}`, timeout: 60_000 },
  );
}

/** The pods of the workload's newest template that are not on their way out. */
async function newestPods({ api, namespace }: RestarterHarness, name: Name) {
  const { items } = await api.get<{ items: readonly AnyObject[] }>(paths.pod(namespace));
  const own = items.filter(
    ({ metadata }) => metadata.labels?.app === name && metadata.deletionTimestamp === undefined,
  );
  const markers = own.map(({ metadata }) => metadata.annotations?.[MARKER] ?? "");
  const isMarked = markers.some((marker) => marker !== "");
  return isMarked ? own.filter((_, i) => markers[i] !== "") : own;
}

/** Deletes the only pod of the workload's newest template, until another one has begun. */
async function evict(harness: RestarterHarness, name: Name) {
  const { api, namespace } = harness;
  const [pod] = await newestPods(harness, name);
  if (pod === undefined) throw new Error(`no pod of ${name}`);
  await api.remove(paths.pod(namespace, pod.metadata.name));
  const isAnother = async () => {
    const [other] = await newestPods(harness, name);
    return other !== undefined && other.metadata.uid !== pod.metadata.uid;
  };
  await waitFor(isAnother, { message: `another pod of ${name}` });
}

/** A restarter that has adopted `web`, of which this is the owner. */
async function startWithWeb(harness: RestarterHarness) {
  const owner = ownerOf(harness, "web");
  await harness.adopt("cfg", "0");
  await owner.create();
  await waitPod(harness, "web", {});
  await harness.start();
  await harness.waitCurrent("Deployment", "web");
  return owner;
}

test("what changed after a release that no restarter saw is rolled, whatever its owner wrote after it", async () => {
  await using harness = await startRestarterHarness();
  const owner = (name: Name) => ownerOf(harness, name);
  const released = { release: "1" };
  await harness.adopt("cfg", "0");
  for (const name of ["web", "db", "agent", "undone", "fresh"] as const) {
    await owner(name).create();
    await waitPod(harness, name, {});
  }
  const before = await harness.start();
  await harness.waitCurrent("Deployment", "web", "undone", "fresh");
  await harness.waitCurrent("StatefulSet", "db");
  await harness.waitCurrent("DaemonSet", "agent");
  await before.kill();

  const all = ["web", "db", "agent", "undone", "late"] as const;
  await Promise.all(all.slice(0, -1).map((name) => owner(name).release(released)));
  await owner("late").create();
  await Promise.all(all.slice(0, -1).map((name) => waitPod(harness, name, released)));
  await waitPod(harness, "late", {});
  await sleep(SECOND_MS);
  await harness.change("cfg", "1");
  await sleep(SECOND_MS);
  await Promise.all(all.map((name) => owner(name).label()));
  await owner("fresh").release(released);
  await waitPod(harness, "fresh", released);
  // Another release that does not get ready, and is undone.
  await owner("undone").release({ [NEVER_READY]: "true" });
  await waitFor(async () => {
    const { status } = (await owner("undone").get()) as AnyObject & {
      status: { unavailableReplicas?: number };
    };
    return status.unavailableReplicas === 1;
  });
  await owner("undone").release({ [NEVER_READY]: null });
  await waitPod(harness, "undone", released);

  await harness.start();
  for (const name of all) await harness.waitEvent("succeeded", name);
  await harness.waitCurrent("Deployment", "fresh");
  const events = await harness.events();
  // Whether a change is still planned when the restarter looks through everything is chance.
  const wordsNow = (name: Name) => wordsOf(events, name).filter((word) => word !== "planned");
  const words = WORKLOADS.map(({ name }) => [name, wordsNow(name)]);
  const rolled = ["started", "succeeded"];
  expect(Object.fromEntries(words)).toEqual({
    ...Object.fromEntries(all.map((name) => [name, rolled])),
    // Its pod began after the change.
    fresh: [],
  });
});

test("content that came and went while no restarter ran is rolled where a pod began meanwhile", async () => {
  await using harness = await startRestarterHarness();
  await harness.adopt("cfg", "0");
  for (const name of ["web", "db"] as const) {
    await ownerOf(harness, name).create();
    await waitPod(harness, name, {});
  }
  const before = await harness.start();
  await harness.waitCurrent("Deployment", "web");
  await harness.waitCurrent("StatefulSet", "db");
  await before.kill();
  await sleep(SECOND_MS);

  await harness.change("cfg", "1");
  await evict(harness, "web");
  await sleep(SECOND_MS);
  await harness.change("cfg", "0");

  await harness.start();
  await harness.waitEvent("succeeded", "web");
  await harness.waitRecord("web", ({ phase }) => phase === "current");
  const counted = async () => {
    const { running = {} } = (await harness.record("db", "StatefulSet")) ?? {};
    return Object.values(running).map(({ changeCount }) => changeCount);
  };
  await waitFor(async () => (await counted()).includes(2), { message: "a look at the pod of db" });
  const events = await harness.events();
  expect(wordsOf(events, "web").filter((word) => word !== "planned")).toEqual([
    "started",
    "succeeded",
  ]);
  // Its pod was there before, and has what is present.
  expect(wordsOf(events, "db").filter((word) => word === "started")).toEqual([]);
  expect((await ownerOf(harness, "db").get()).metadata.generation).toBe(1);
});

test("content that came and went in the middle of a rollout is rolled where a pod began meanwhile", async () => {
  await using harness = await startRestarterHarness();
  const names = ["web", "late"] as const;
  await harness.adopt("cfg", "0");
  for (const name of names) {
    await ownerOf(harness, name).create();
    await ownerOf(harness, name).slow();
    await waitPod(harness, name, {});
  }
  const before = await harness.start();
  await harness.waitCurrent("Deployment", ...names);
  await harness.change("cfg", "1");
  for (const name of names) await harness.waitEvent("started", name);
  await waitFor(async () => {
    const pods = await Promise.all(names.map((name) => newestPods(harness, name)));
    return pods.every(([pod]) => pod?.metadata.annotations?.[MARKER] !== undefined);
  });
  await before.kill();
  await sleep(SECOND_MS);

  await harness.change("cfg", "2");
  await evict(harness, "web");
  await sleep(SECOND_MS);
  await harness.change("cfg", "1");

  await harness.start();
  for (const name of names) await harness.waitCurrent("Deployment", name);
  const events = await harness.events();
  const words = (name: Name) => wordsOf(events, name).filter((word) => word !== "planned");
  expect(words("web")).toEqual(["started", "superseded", "started", "succeeded"]);
  // Its pod began before that.
  expect(words("late")).toEqual(["started", "succeeded"]);
});

test("after the cluster was restored from a backup, a restarter that ran on patches what is there", async () => {
  await using cluster = await startCluster();
  await using harness = await startRestarterHarness({ cluster });
  const owner = await startWithWeb(harness);
  const snapshot = await cluster.snapshot();
  for (const release of ["1", "2", "3"]) await owner.release({ release });
  await waitPod(harness, "web", { release: "3" });
  await harness.waitRecord("web", ({ generation }) => generation === 4);

  await cluster.restore(snapshot);
  await harness.change("cfg", "1");
  // The controllers themselves must be restarted after that.
  await harness.waitEvent("started", "web");
  const words = wordsOf(await harness.events(), "web");
  expect(words.filter((word) => word !== "planned")).toEqual(["started"]);
  const { metadata } = await owner.get();
  expect(metadata.generation).toBe(2);
});

test("after the cluster was restored from a backup of before a rollout, the workload is rolled again", async () => {
  await using cluster = await startCluster();
  await using harness = await startRestarterHarness({ cluster });
  const owner = await startWithWeb(harness);
  const snapshot = await cluster.snapshot();
  await harness.change("cfg", "1");
  await harness.waitEvent("succeeded", "web");

  await cluster.restore(snapshot);
  await harness.waitEvent("started", "web", 2);
  const { spec } = (await owner.get()) as AnyObject & {
    spec: { template: { metadata: { annotations?: Record<string, string> } } };
  };
  expect(spec.template.metadata.annotations?.[MARKER]).toBeDefined();
});
