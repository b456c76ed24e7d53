import { eventOutcome } from "@rollcast/shared/events";
import type { RollcastEvent } from "@rollcast/shared/events";
import { waitFor } from "@rollcast/testkit/wait";
import { expect, test } from "vitest";
import { faultsOf, startRestarterHarness, wordsOf } from "./harness.ts";
import type { RestarterHarness } from "./harness.ts";

async function generations(harness: RestarterHarness, names: readonly string[]): Promise<number[]> {
  return Promise.all(names.map(async (name) => (await harness.get(name)).metadata.generation ?? 0));
}

async function waitFrozen(harness: RestarterHarness, names: readonly string[]): Promise<void> {
  for (const name of names)
    await harness.waitRecord(name, (record) => record.due?.reason === "Frozen");
}

function freezes(events: readonly RollcastEvent[]) {
  return events
    .filter(({ type }) => eventOutcome(type).domain === "freeze")
    .map(({ type, data }) => ({ outcome: eventOutcome(type).outcome, ...data }));
}

test("a freeze survives a restart of everything; rollouts due meanwhile run once, with the last content", async () => {
  await using harness = await startRestarterHarness();
  await harness.adopt("cfg", "0");
  const names = await harness.deployMany(30);
  await Promise.all([harness.start(), harness.start(), harness.start()]);
  await harness.waitAll(names);
  const { operations } = await harness.operate();

  await operations.freeze({ level: "cluster" }, { by: "anna", comment: "Black Friday" });
  await harness.change("cfg", "1");
  await waitFrozen(harness, names);
  await Promise.all(harness.services.map((restarter) => restarter.kill("SIGKILL")));
  await harness.redis.restart({ empty: true });
  await harness.nats.kill();
  await harness.nats.restart();
  await harness.change("cfg", "2");
  await Promise.all([harness.start(), harness.start(), harness.start()]);
  await harness.change("cfg", "3");
  await waitFor(
    async () =>
      wordsOf(await harness.events(), "web-0").filter((outcome) => outcome === "planned").length >=
      2,
    {
      message: "the changes to be seen",
    },
  );
  await waitFrozen(harness, names);
  expect(new Set(await generations(harness, names))).toEqual(new Set([1]));
  expect(operations.listFreezes()).toMatchObject([
    { scope: { level: "cluster" }, by: "anna", comment: "Black Friday" },
  ]);

  expect(await operations.unfreeze({ level: "cluster" }, { by: "ben" })).toBe(true);
  expect(await operations.unfreeze({ level: "cluster" }, { by: "ben" })).toBe(false);
  await harness.waitAll(names, 30_000);
  expect(new Set(await generations(harness, names))).toEqual(new Set([2]));
  const events = await harness.events();
  expect(faultsOf(events)).toEqual([]);
  for (const name of names) {
    // Reported once, however often it was evaluated.
    const words = wordsOf(events, name).filter((outcome) => outcome !== "planned");
    expect(words, name).toEqual(["deferred", "started", "succeeded"]);
  }
  expect(freezes(events)).toEqual([
    { outcome: "frozen", scope: { level: "cluster" }, by: "anna", comment: "Black Friday" },
    { outcome: "unfrozen", scope: { level: "cluster" }, by: "ben" },
  ]);
});

test("a namespace or one workload is frozen, the others continue; a freeze expires by itself", async () => {
  await using harness = await startRestarterHarness();
  const { namespace } = harness;
  await harness.adopt("cfg", "0");
  const names = await harness.deployMany(3);
  await harness.start();
  await harness.waitAll(names);
  const { operations } = await harness.operate();
  const scope = { level: "workload", kind: "Deployment", namespace, name: "web-1" } as const;

  await operations.freeze(scope, { by: "anna", until: Date.now() + 3_600_000 });
  await harness.change("cfg", "1");
  await harness.waitAll(["web-0", "web-2"]);
  const deferred = await harness.waitEvent("deferred", "web-1");
  expect(deferred).toMatchObject({ reason: "Frozen", dueAt: expect.any(String) });
  expect(await generations(harness, names)).toEqual([2, 1, 2]);
  await operations.freeze(scope, { by: "anna", until: Date.now() + 1_000 });
  await harness.waitAll(names);
  expect(await generations(harness, names)).toEqual([2, 2, 2]);
  await waitFor(() => operations.listFreezes().length === 0);

  // Of two freezes, the longer one applies.
  await operations.freeze({ level: "namespace", namespace }, { by: "anna" });
  await operations.freeze({ level: "cluster" }, { by: "anna", until: Date.now() + 2_000 });
  await harness.change("cfg", "2");
  await waitFrozen(harness, names);
  await waitFor(
    async () =>
      freezes(await harness.events()).filter((x) => x.outcome === "unfrozen").length === 2,
    {
      message: "the shorter one to end",
    },
  );
  expect(await generations(harness, names)).toEqual([2, 2, 2]);
  await operations.unfreeze({ level: "namespace", namespace }, { by: "anna" });
  await harness.waitAll(names);
  expect(await generations(harness, names)).toEqual([3, 3, 3]);

  const unfrozen = freezes(await harness.events()).filter(({ outcome }) => outcome === "unfrozen");
  expect(unfrozen).toEqual([
    { outcome: "unfrozen", scope, by: "rollcast", reason: "Expired" },
    { outcome: "unfrozen", scope: { level: "cluster" }, by: "rollcast", reason: "Expired" },
    { outcome: "unfrozen", scope: { level: "namespace", namespace }, by: "anna" },
  ]);
  await expect(
    operations.freeze({ level: "cluster" }, { by: "anna", until: Date.now() - 1 }),
  ).rejects.toThrow("later than now");
  await expect(
    operations.freeze({ level: "namespace", namespace: "a.b/*" }, { by: "anna" }),
  ).rejects.toThrow("as Kubernetes has them");
});
