import { eventOutcome } from "@rollcast/shared/events";
import type { RollcastEvent, RolloutEvent } from "@rollcast/shared/events";
import { openKv } from "@rollcast/nats/kv";
import { recordKey } from "@rollcast/shared/subjects";
import { CLUSTER } from "@rollcast/testkit/harness/base-config";
import { NEVER_READY } from "@rollcast/testkit/kwok";
import { paths, waitRolledOut } from "@rollcast/testkit/objects";
import { waitFor } from "@rollcast/testkit/wait";
import { expect, test } from "vitest";
import { ControlEntry, emptyState, stateKey } from "../src/model/control-entry.ts";
import type { QueueState } from "../src/model/control-entry.ts";
import { faultsOf, startRestarterHarness, wordsOf } from "./harness.ts";
import type { RestarterHarness } from "./harness.ts";

const USES = [{ as: "envFrom", configMap: "cfg" }] as const;
const ENDS = new Set(["succeeded", "failed", "superseded", "cancelled"]);

function rollouts(events: readonly RollcastEvent[]): RolloutEvent[] {
  return events.filter(
    (event): event is RolloutEvent => eventOutcome(event.type).domain === "rollout",
  );
}

/**
 * The maximum number of rollouts unfinished at once, from the times in the events (`time` of
 * started, and of the end). Both are set before the quota goes to the next rollout.
 */
function mostUnfinished(events: readonly RollcastEvent[]): number {
  const steps = rollouts(events)
    .map((event) => ({ outcome: eventOutcome(event.type).outcome, time: Date.parse(event.time) }))
    .filter(({ outcome }) => outcome === "started" || ENDS.has(outcome))
    .map(({ outcome, time }) => ({ time, by: outcome === "started" ? 1 : -1 }))
    // If two events share a millisecond, the end may have released the quota.
    .toSorted((a, b) => a.time - b.time || a.by - b.by);
  let now = 0;
  let most = 0;
  for (const { by } of steps) {
    now += by;
    most = Math.max(most, now);
  }
  return most;
}

/** Deployments with one pod each, so that a rollout takes time; all use `cfg`. */
async function deployPods(harness: RestarterHarness, names: readonly string[]): Promise<void> {
  await Promise.all(names.map((name) => harness.deploy(name, { uses: USES })));
}

function started(events: readonly RollcastEvent[]): RolloutEvent[] {
  return rollouts(events).filter((event) => eventOutcome(event.type).outcome === "started");
}

test("maxRolling limits unfinished rollouts over three restarters, one killed, and no quota is lost", async () => {
  const queues = [{ name: "default", window: "100ms", maxRolling: 4 }];
  await using harness = await startRestarterHarness({ config: { queues } });
  await harness.adopt("cfg", "0");
  const names = Array.from({ length: 40 }, (_, i) => `web-${i}`);
  await deployPods(harness, names);
  for (const name of names) await waitRolledOut(harness.api, harness.namespace, name);
  const [victim] = await Promise.all([harness.start(), harness.start(), harness.start()]);
  await harness.waitAll(names);
  const { operations } = await harness.operate(queues);
  const rolling = () => operations.listQueues()[0]?.rolling.length ?? 0;
  let most = 0;
  const sampling = setInterval(() => {
    most = Math.max(most, rolling());
  }, 5);

  try {
    await harness.change("cfg", "1");
    await waitFor(async () => started(await harness.events()).length >= 8, {
      message: "eight to start",
      timeout: 60_000,
    });
    await victim.kill("SIGKILL");
    await waitFor(async () => started(await harness.events()).length >= 20, {
      message: "twenty to start",
      timeout: 60_000,
    });
    expect(mostUnfinished(await harness.events())).toBe(4);
    // Changed at run time.
    await operations.setQueue("default", { maxRolling: 7 }, { by: "anna" });
    await harness.waitAll(names, 90_000);
  } finally {
    clearInterval(sampling);
  }
  expect(most).toBeGreaterThan(3);
  expect(most).toBeLessThanOrEqual(7);
  const events = await harness.events();
  expect(mostUnfinished(events)).toBeLessThanOrEqual(7);
  expect(faultsOf(events)).toEqual([]);
  for (const name of names) expect((await harness.get(name)).metadata.generation, name).toBe(2);
  await waitFor(() => rolling() === 0, { message: "every place to be free", timeout: 30_000 });
  const deferrals = rollouts(events).filter(
    (event) => eventOutcome(event.type).outcome === "deferred",
  );
  expect(deferrals.length).toBeGreaterThan(10);
  expect(new Set(deferrals.map(({ data }) => data.reason))).toEqual(new Set(["MaxRolling"]));
});

test("quota of a killed restarter is released beside a workload whose record cannot be read", async () => {
  const queues = [{ name: "default", window: "100ms", maxRolling: 2 }];
  await using harness = await startRestarterHarness({ config: { queues } });
  const { connection, namespace } = harness;
  await harness.adopt("cfg", "0");
  await harness.deploy("web", { uses: USES, replicas: 0 });
  const use = { rollout: "of a killed one", since: Date.now() - 60_000, changes: [] };
  const rolling = ["newer", "orphan"].map((name) => [`Deployment/${namespace}/${name}`, use]);
  const control = await openKv(connection, "control", ControlEntry);
  await control.create(stateKey(CLUSTER, "default"), {
    ...emptyState("default"),
    rolling: Object.fromEntries(rolling),
  });
  const key = recordKey(CLUSTER, { kind: "Deployment", namespace, name: "newer" });
  await connection.js.publish(`$KV.workloads.${key}`, JSON.stringify({ v: 2 }));
  await harness.start();
  await harness.waitCurrent("Deployment", "web");

  await harness.change("cfg", "1");

  await harness.waitEvent("succeeded", "web");
  const state = (await control.get(stateKey(CLUSTER, "default")))?.value;
  expect(Object.keys((state as QueueState).rolling)).toEqual([`Deployment/${namespace}/newer`]);
});

test("quota reserved by a killed restarter is released, and waiters begin oldest first", async () => {
  const queues = [{ name: "default", window: "100ms", maxRolling: 1, maxRollingPerNamespace: 1 }];
  await using harness = await startRestarterHarness({ config: { queues } });
  for (const name of ["cfg", "second", "third"]) await harness.adopt(name, "0");
  const stuck = { podAnnotations: { [NEVER_READY]: "true" } };
  await harness.deploy("stuck", { uses: USES, ...stuck });
  for (const source of ["third", "second"]) {
    await harness.deploy(`uses-${source}`, {
      uses: [{ as: "envFrom", configMap: source }],
      replicas: 0,
    });
  }
  // Dies between reserving the quota and recording it.
  const victim = await harness.start({ env: { ROLLCAST_TEST_KILL_AT: "quota-reserved:1" } });
  await harness.waitRecord("stuck", () => true);
  const { operations } = await harness.operate(queues);
  const quotaUses = () => operations.listQueues()[0]?.rolling.map(({ workload }) => workload) ?? [];
  await harness.change("cfg", "1");
  expect(await victim.exited).toBe("SIGKILL");
  await waitFor(() => quotaUses().length === 1, { message: "the place to be taken" });

  await harness.start();
  await waitFor(async () => wordsOf(await harness.events(), "stuck").includes("started"), {
    message: "its rollout to begin",
    timeout: 40_000,
  });
  expect(quotaUses()).toEqual([`Deployment/${harness.namespace}/stuck`]);
  await harness.change("second", "1");
  await harness.waitRecord("uses-second", (record) => record.due?.reason === "MaxRolling");
  await harness.change("third", "1");
  await harness.waitRecord("uses-third", (record) => record.due?.reason === "MaxRolling");
  expect(started(await harness.events())).toHaveLength(1);

  // The end of the stuck rollout releases the quota: its workload is deleted.
  await harness.api.remove(paths.deployment(harness.namespace, "stuck"));
  await waitFor(async () => wordsOf(await harness.events(), "uses-third").includes("succeeded"), {
    message: "both to be rolled",
  });
  expect(started(await harness.events()).map(({ data }) => data.workload.name)).toEqual([
    "stuck",
    "uses-second",
    "uses-third",
  ]);
  await waitFor(() => quotaUses().length === 0, { message: "the place to be free" });
  expect(faultsOf(await harness.events())).toEqual([]);
});
