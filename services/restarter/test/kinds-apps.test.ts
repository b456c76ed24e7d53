import type { AnyObject, Api } from "@rollcast/testkit/test-api";
import { paths } from "@rollcast/testkit/objects";
import { waitFor } from "@rollcast/testkit/wait";
import { expect, test } from "vitest";
import { faultsOf, startRestarterHarness, wordsOf } from "./harness.ts";
import { daemonSet, pathOf, statefulSet } from "@rollcast/testkit/shapes";

type Pods = { items: (AnyObject & { status: { phase?: string } })[] };

async function runningPods(api: Api, namespace: string, app: string, count: number) {
  return waitFor(
    async () => {
      const { items } = await api.get<Pods>(paths.pod(namespace));
      const own = items.filter((pod) => pod.metadata.labels?.app === app);
      const running = own.filter(
        (pod) => pod.status.phase === "Running" && pod.metadata.deletionTimestamp === undefined,
      );
      return running.length === count ? running : undefined;
    },
    { message: `${count} running pods of ${app}`, timeout: 60_000 },
  );
}

const uidsOf = (pods: readonly AnyObject[]) => pods.map((pod) => pod.metadata.uid ?? "").toSorted();
const namesOf = (pods: readonly AnyObject[]) => pods.map((pod) => pod.metadata.name).toSorted();

test("StatefulSets and DaemonSets are rolled and followed to their end, even if their pods wait for their owner", async () => {
  await using harness = await startRestarterHarness();
  const { api, namespace } = harness;
  const sets = pathOf("apps/v1", namespace, "statefulsets");
  const daemons = pathOf("apps/v1", namespace, "daemonsets");
  const onDelete = { updateStrategy: { type: "OnDelete" } };
  const partition = { type: "RollingUpdate", rollingUpdate: { partition: 2 } };
  await harness.adopt("cfg", "0");
  await api.create(sets, statefulSet(namespace, "db", { replicas: 2 }));
  await api.create(sets, statefulSet(namespace, "ondel", { replicas: 2, ...onDelete }));
  await api.create(
    sets,
    statefulSet(namespace, "part", { replicas: 3, updateStrategy: partition }),
  );
  await api.create(sets, statefulSet(namespace, "none", { replicas: 0 }));
  await api.create(daemons, daemonSet(namespace, "agent"));
  await api.create(daemons, daemonSet(namespace, "manual", onDelete));
  const counts = { db: 2, ondel: 2, part: 3, agent: 1, manual: 1 };
  const before = new Map<string, AnyObject[]>();
  for (const [app, count] of Object.entries(counts)) {
    before.set(app, await runningPods(api, namespace, app, count));
  }
  await harness.start();

  await harness.change("cfg", "1");
  const ends = new Map<string, string | undefined>();
  for (const name of [...Object.keys(counts), "none"]) {
    const { reason, message } = await harness.waitEvent("succeeded", name);
    ends.set(name, message === undefined ? reason : `${reason}: ${message}`);
  }

  const [manual = ""] = namesOf(before.get("manual") ?? []);
  expect(Object.fromEntries(ends)).toEqual({
    db: "Complete",
    agent: "Complete",
    none: "ScaledToZero: no replicas: nothing restarts",
    ondel:
      "OnDelete: 2 of 2 pods keep the old template until their owner deletes them: ondel-0, ondel-1",
    part: "Partition: below the partition, so left for their owner to delete: part-0, part-1",
    manual: `OnDelete: 1 of 1 pods keep the old template until their owner deletes them: ${manual}`,
  });
  const replaced = async (app: keyof typeof counts) => {
    const old = uidsOf(before.get(app) ?? []);
    const now = uidsOf(await runningPods(api, namespace, app, counts[app]));
    return now.filter((uid) => !old.includes(uid)).length;
  };
  expect(await replaced("db")).toBe(2);
  expect(await replaced("agent")).toBe(1);
  expect(await replaced("part")).toBe(1);
  expect(await replaced("ondel")).toBe(0);
  expect(await replaced("manual")).toBe(0);
  const events = await harness.events();
  expect(faultsOf(events)).toEqual([]);
  for (const name of ends.keys()) {
    expect(wordsOf(events, name), name).toEqual(["planned", "started", "succeeded"]);
  }

  // Only one of two pods is deleted: the next end names the other, and content that changes while
  // pods wait is one more rollout.
  await api.remove(paths.pod(namespace, "ondel-0"));
  await waitFor(
    async () => {
      const set = await api.get<{ status: { updatedReplicas?: number } }>(`${sets}/ondel`);
      return set.status.updatedReplicas === 1;
    },
    { message: "the deleted pod to be updated" },
  );
  await harness.change("cfg", "2");
  expect((await harness.waitEvent("succeeded", "ondel", 2)).message).toContain("2 of 2 pods");
});

test("an end is told without the names of pods where the list of them gets no answer", async () => {
  await using harness = await startRestarterHarness({ faultProxy: true });
  const { api, namespace, proxy } = harness;
  await harness.adopt("cfg", "0");
  const shape = { replicas: 1, updateStrategy: { type: "OnDelete" } };
  await api.create(
    pathOf("apps/v1", namespace, "statefulsets"),
    statefulSet(namespace, "db", shape),
  );
  await runningPods(api, namespace, "db", 1);
  await harness.start();
  await harness.waitCurrent("StatefulSet", "db");
  proxy.rules([{ path: /\/pods\?/, fault: { do: "stall" } }]);
  await harness.change("cfg", "1");

  expect(await harness.waitEvent("succeeded", "db")).toMatchObject({
    reason: "OnDelete",
    message: "1 of 1 pods keep the old template until their owner deletes them",
  });
});
