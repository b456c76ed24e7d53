import { eventOutcome } from "@rollcast/shared/events";
import type { RollcastEvent, RolloutEvent } from "@rollcast/shared/events";
import { NEVER_READY } from "@rollcast/testkit/kwok";
import { paths, waitRolledOut } from "@rollcast/testkit/objects";
import { waitFor } from "@rollcast/testkit/wait";
import { expect, test } from "vitest";
import { faultsOf, startRig, wordsOf } from "./rig.ts";
import type { Rig } from "./rig.ts";

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
async function deployPods(rig: Rig, names: readonly string[]): Promise<void> {
  await Promise.all(names.map((name) => rig.deploy(name, { uses: USES })));
}

function started(events: readonly RollcastEvent[]): RolloutEvent[] {
  return rollouts(events).filter((event) => eventOutcome(event.type).outcome === "started");
}

test("maxRolling limits unfinished rollouts over three restarters, one killed, and no quota is lost", async () => {
  const queues = [{ name: "default", window: "100ms", maxRolling: 4 }];
  await using rig = await startRig({ config: { queues } });
  await rig.adopt("cfg", "0");
  const names = Array.from({ length: 40 }, (_, i) => `web-${i}`);
  await deployPods(rig, names);
  for (const name of names) await waitRolledOut(rig.api, rig.namespace, name);
  const [victim] = await Promise.all([rig.start(), rig.start(), rig.start()]);
  await rig.waitAll(names);
  const { operations } = await rig.operate(queues);
  const rolling = () => operations.listQueues()[0]?.rolling.length ?? 0;
  let most = 0;
  const sampling = setInterval(() => {
    most = Math.max(most, rolling());
  }, 5);

  try {
    await rig.change("cfg", "1");
    await waitFor(async () => started(await rig.events()).length >= 8, {
      message: "eight to start",
      timeout: 60_000,
    });
    await victim.kill("SIGKILL");
    await waitFor(async () => started(await rig.events()).length >= 20, {
      message: "twenty to start",
      timeout: 60_000,
    });
    expect(mostUnfinished(await rig.events())).toBe(4);
    // Changed at run time.
    await operations.setQueue("default", { maxRolling: 7 }, { by: "anna" });
    await rig.waitAll(names, 90_000);
  } finally {
    clearInterval(sampling);
  }
  expect(most).toBeGreaterThan(3);
  expect(most).toBeLessThanOrEqual(7);
  const events = await rig.events();
  expect(mostUnfinished(events)).toBeLessThanOrEqual(7);
  expect(faultsOf(events)).toEqual([]);
  for (const name of names) expect((await rig.get(name)).metadata.generation, name).toBe(2);
  await waitFor(() => rolling() === 0, { message: "every place to be free", timeout: 30_000 });
  const deferrals = rollouts(events).filter(
    (event) => eventOutcome(event.type).outcome === "deferred",
  );
  expect(deferrals.length).toBeGreaterThan(10);
  expect(new Set(deferrals.map(({ data }) => data.reason))).toEqual(new Set(["MaxRolling"]));
});

test("quota reserved by a killed restarter is released, and waiters begin oldest first", async () => {
  const queues = [{ name: "default", window: "100ms", maxRolling: 1, maxRollingPerNamespace: 1 }];
  await using rig = await startRig({ config: { queues } });
  for (const name of ["cfg", "second", "third"]) await rig.adopt(name, "0");
  const stuck = { podAnnotations: { [NEVER_READY]: "true" } };
  await rig.deploy("stuck", { uses: USES, ...stuck });
  for (const source of ["third", "second"]) {
    await rig.deploy(`uses-${source}`, {
      uses: [{ as: "envFrom", configMap: source }],
      replicas: 0,
    });
  }
  // Dies between reserving the quota and recording it.
  const victim = await rig.start({ env: { ROLLCAST_TEST_KILL_AT: "quota-reserved:1" } });
  await rig.waitRecord("stuck", () => true);
  const { operations } = await rig.operate(queues);
  const quotaUses = () => operations.listQueues()[0]?.rolling.map(({ workload }) => workload) ?? [];
  await rig.change("cfg", "1");
  expect(await victim.exited).toBe("SIGKILL");
  await waitFor(() => quotaUses().length === 1, { message: "the place to be taken" });

  await rig.start();
  await waitFor(async () => wordsOf(await rig.events(), "stuck").includes("started"), {
    message: "its rollout to begin",
    timeout: 40_000,
  });
  expect(quotaUses()).toEqual([`Deployment/${rig.namespace}/stuck`]);
  await rig.change("second", "1");
  await rig.waitRecord("uses-second", (record) => record.due?.reason === "MaxRolling");
  await rig.change("third", "1");
  await rig.waitRecord("uses-third", (record) => record.due?.reason === "MaxRolling");
  expect(started(await rig.events())).toHaveLength(1);

  // The end of the stuck rollout releases the quota: its workload is deleted.
  await rig.api.remove(paths.deployment(rig.namespace, "stuck"));
  await waitFor(async () => wordsOf(await rig.events(), "uses-third").includes("succeeded"), {
    message: "both to be rolled",
  });
  expect(started(await rig.events()).map(({ data }) => data.workload.name)).toEqual([
    "stuck",
    "uses-second",
    "uses-third",
  ]);
  await waitFor(() => quotaUses().length === 0, { message: "the place to be free" });
  expect(faultsOf(await rig.events())).toEqual([]);
});
