import type { RollcastEvent, RolloutEvent } from "@rollcast/shared/events";
import { dig } from "@rollcast/kube/object";
import type { KubeObject } from "@rollcast/kube/object";
import { NEVER_READY } from "@rollcast/testkit/kwok";
import { paths } from "@rollcast/testkit/objects";
import { waitFor } from "@rollcast/testkit/wait";
import { expect, test } from "vitest";
import { faultsOf, startRestarterHarness, wordsOf } from "./harness.ts";
import type { RestarterHarness } from "./harness.ts";
import { pathOf, statefulSet } from "@rollcast/testkit/shapes";

/**
 * Deployments whose pods never become ready, so that each rollout fails after two seconds; all use
 * `cfg`.
 */
async function deployBroken(harness: RestarterHarness, names: readonly string[]): Promise<void> {
  await Promise.all(
    names.map((name) =>
      harness.deploy(name, {
        uses: [{ as: "envFrom", configMap: "cfg" }],
        progressDeadlineSeconds: 2,
        podAnnotations: { [NEVER_READY]: "true" },
      }),
    ),
  );
}

/**
 * Completes rollouts of the Deployments: kwok's pods cannot read the content that would make real
 * ones ready. Resolves when their status no longer says that they failed: a change of size is
 * answered with the conditions of before, for whatever generation there is by then.
 */
async function mend(harness: RestarterHarness, names: readonly string[]): Promise<void> {
  const spec = { progressDeadlineSeconds: 60, replicas: 0 };
  await Promise.all(
    names.map(async (name) => {
      await harness.api.patch(paths.deployment(harness.namespace, name), { spec });
      await waitFor(async () => isComplete((await harness.get(name)) as KubeObject), {
        message: `${name} to be complete`,
      });
    }),
  );
}

function isComplete({ metadata, status }: KubeObject): boolean {
  const conditions = (dig(status, "conditions") ?? []) as readonly { reason?: string }[];
  return (
    dig(status, "observedGeneration") === metadata.generation &&
    conditions.some(({ reason }) => reason === "NewReplicaSetAvailable")
  );
}

function started(events: readonly RollcastEvent[]): RolloutEvent[] {
  return events.filter(
    (event): event is RolloutEvent => event.type === "dev.rollcast.rollout.started.v1",
  );
}

test("a change that breaks every Deployment: three fail, the rest never roll, until the fix, which rolls all", async () => {
  const queues = [{ name: "default", window: "100ms", maxRolling: 3 }];
  await using harness = await startRestarterHarness({ config: { queues } });
  await harness.adopt("cfg", "0");
  const names = Array.from({ length: 12 }, (_, i) => `web-${i}`);
  await deployBroken(harness, names);
  await Promise.all([harness.start(), harness.start(), harness.start()]);
  await harness.waitAll(names);
  const { operations } = await harness.operate(queues);

  await harness.change("cfg", "broken");
  const halted = await waitFor(
    async () => {
      const records = await Promise.all(names.map((name) => harness.record(name)));
      const waiting = records.filter((record) => record?.due?.reason === "Halted");
      return waiting.length === names.length - 3 ? waiting : undefined;
    },
    { message: "all but three to be halted", timeout: 60_000 },
  );
  const failed = names.filter((name) => !halted.some((record) => record?.name === name));
  // A record is written before its events are published.
  const events = await waitFor(
    async () => {
      const published = await harness.events();
      const isOver = failed.every((name) => wordsOf(published, name).includes("failed"));
      const isTold = published.some(({ type }) => type === "dev.rollcast.queue.halted.v1");
      return isOver && isTold ? published : undefined;
    },
    { message: "the events of the three and of the halt" },
  );
  expect(
    started(events)
      .map(({ data }) => data.workload.name)
      .toSorted(),
  ).toEqual(failed.toSorted());
  const published = events.filter((event) => event.type === "dev.rollcast.queue.halted.v1");
  expect(published.map(({ data }) => data)).toEqual([
    {
      queue: "default",
      by: "rollcast",
      failed: 3,
      sources: [{ kind: "ConfigMap", namespace: harness.namespace, name: "cfg" }],
    },
  ]);
  expect(operations.listHalts()).toMatchObject([{ queue: "default", failed: 3 }]);

  // A restart of all restarters loses nothing.
  await Promise.all(harness.services.map((restarter) => restarter.kill("SIGKILL")));
  await Promise.all([harness.start(), harness.start()]);
  await harness.waitRecord("web-0", () => true);
  expect(started(await harness.events())).toHaveLength(3);

  // The fix rolls all of them, including the failed ones.
  await mend(harness, names);
  await harness.change("cfg", "fixed");
  await harness.waitAll(names, 60_000);
  const after = await harness.events();
  for (const name of names) expect(wordsOf(after, name).at(-1), name).toBe("succeeded");
  expect(faultsOf(after)).toEqual([]);
  expect(operations.listQueues()[0]).toMatchObject({ rolling: [], halts: [] });
});

test("a halted change continues when resumed, and halts again if it still breaks", async () => {
  const queues = [{ name: "default", window: "100ms", maxRolling: 1, haltAfter: 1 }];
  await using harness = await startRestarterHarness({ config: { queues } });
  await harness.adopt("cfg", "0");
  const names = ["one", "two", "three"];
  await deployBroken(harness, names);
  await harness.start();
  await harness.waitAll(names);
  const { operations } = await harness.operate(queues);
  const waiting = async () => {
    const records = await Promise.all(names.map((name) => harness.record(name)));
    return records.filter((record) => record?.due?.reason === "Halted").length;
  };
  await harness.change("cfg", "broken");
  await waitFor(async () => (await waiting()) === 2, {
    message: "two to be halted",
    timeout: 40_000,
  });
  expect(await operations.resumeHalted({ source: "ConfigMap/other/cfg" }, { by: "anna" })).toBe(0);
  const source = `ConfigMap/${harness.namespace}/cfg`;
  expect(await operations.resumeHalted({ queue: "default", source }, { by: "anna" })).toBe(1);
  await waitFor(() => operations.listHalts()[0]?.failed === 1, {
    message: "one more to fail",
    timeout: 40_000,
  });
  await waitFor(async () => (await waiting()) === 1, { message: "the last to be halted again" });
  await harness.waitEvent("halted", "default", 2);
  expect(started(await harness.events())).toHaveLength(2);
});

test("a failure that is published again after a crash does not halt anew what was resumed meanwhile", async () => {
  const queues = [{ name: "default", window: "100ms", haltAfter: 1 }];
  await using harness = await startRestarterHarness({ config: { queues } });
  await harness.adopt("cfg", "0");
  await deployBroken(harness, ["web"]);
  const victim = await harness.start({ env: { ROLLCAST_TEST_KILL_AT: "end-published" } });
  await harness.waitAll(["web"]);
  const { operations } = await harness.operate(queues);
  await harness.change("cfg", "broken");
  expect(await victim.exited).toBe("SIGKILL");
  await waitFor(() => operations.listHalts().length === 1, { message: "the change to be halted" });
  expect(await operations.resumeHalted({}, { by: "anna" })).toBe(1);

  await harness.start();
  await waitFor(async () => (await harness.record("web"))?.outbox.length === 0, {
    message: "the outbox to be empty",
  });
  expect(operations.listHalts()).toEqual([]);
  const events = await harness.events();
  expect(events.filter(({ type }) => type === "dev.rollcast.queue.halted.v1")).toHaveLength(1);
});

test("stalled StatefulSets halt their change too, until they succeed", async () => {
  const queues = [{ name: "default", window: "100ms", maxRolling: 5, haltAfter: 2 }];
  await using harness = await startRestarterHarness({
    config: { queues, rollout: { stalledAfter: "2s" } },
  });
  const { api, namespace } = harness;
  const path = (name?: string) => pathOf("apps/v1", namespace, "statefulsets", name);
  await harness.adopt("cfg", "0");
  const shape = { podAnnotations: { [NEVER_READY]: "true" } };
  for (const name of ["one", "two"]) await api.create(path(), statefulSet(namespace, name, shape));
  await api.create(path(), statefulSet(namespace, "late", { replicas: 0 }));
  await harness.start();
  const { operations } = await harness.operate(queues);
  const record = (name: string) => harness.record(name, "StatefulSet");
  await waitFor(() => record("late"), { message: "late to be known" });
  const late = {
    level: "workload",
    kind: "StatefulSet",
    namespace,
    name: "late",
  } as const;
  await operations.freeze(late, { by: "anna" });

  await harness.change("cfg", "broken");
  await harness.waitEvent("stalled", "one");
  await harness.waitEvent("stalled", "two");
  await waitFor(() => operations.listHalts()[0]?.failed === 2, { message: "the change to halt" });
  await operations.unfreeze(late, { by: "anna" });
  await waitFor(async () => (await record("late"))?.due?.reason === "Halted", {
    message: "late to be halted",
  });
  const published = (await harness.events()).filter(
    (event) => event.type === "dev.rollcast.queue.halted.v1",
  );
  expect(published).toHaveLength(1);

  // One succeeded: its stall no longer counts as a failure.
  await api.patch(path("one"), { spec: { replicas: 0 } });
  await harness.waitEvent("succeeded", "one");
  await harness.waitEvent("succeeded", "late");
  await api.patch(path("two"), { spec: { replicas: 0 } });
  await harness.waitEvent("succeeded", "two");
  expect(operations.listHalts()).toEqual([]);
  expect(faultsOf(await harness.events())).toEqual([]);
});
