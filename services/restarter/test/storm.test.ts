import { setTimeout as sleep } from "node:timers/promises";
import type { RollcastEvent } from "@rollcast/shared/events";
import { expect, test } from "vitest";
import { parseMarker } from "../src/model/content.ts";
import { faultsOf, startRestarterHarness } from "./harness.ts";

/** So many changes at least, and at most; it ends when every workload was rolled twice. */
const CHANGES = { least: 100, most: 900 };

/** How often a workload has been rolled so far. */
function rollsOf(events: readonly RollcastEvent[], name: string): RollcastEvent[] {
  const starts = events.filter((event) => event.type.includes("started"));
  return starts.filter(({ subject }) => subject?.endsWith(`/${name}`) === true);
}

test("a storm of 10 changes a second is at most one rollout a second, and they go on while it lasts; the last content is applied without a resync", async () => {
  await using harness = await startRestarterHarness({
    config: {
      queues: [{ name: "default", window: "1s" }],
      rollout: { resyncInterval: "1h" },
    },
  });
  await harness.adopt("cfg", "0");
  const names = await harness.deployMany(50);
  const restarter = await harness.start();
  await harness.waitAll(names);

  const began = Date.now();
  const areAllRolledTwice = async () => {
    const events = await harness.events();
    return names.every((name) => rollsOf(events, name).length >= 2);
  };
  for (let i = 1; i <= CHANGES.most; i++) {
    await harness.change("cfg", String(i));
    if (i >= CHANGES.least && i % 25 === 0 && (await areAllRolledTwice())) break;
    await sleep(100);
  }
  const lastChange = Date.now();
  // One per window of a second, and one at either end.
  const most = Math.ceil((lastChange - began) / 1_000) + 2;
  await harness.waitAll(names);

  const marker = (await harness.get("web-0")) as unknown as {
    spec: { template: { metadata: { annotations: Record<string, string> } } };
  };
  // In mid-rollout a marker is told from earlier ones by an entry that is no digest.
  const digestsOf = ({ spec }: typeof marker) =>
    parseMarker(spec.template.metadata.annotations["rollcast.dev/config"], harness.namespace);
  const wanted = digestsOf(marker);
  expect(wanted.size).toBe(1);
  const events = await harness.events();
  for (const name of names) {
    const workload = (await harness.get(name)) as unknown as typeof marker & {
      metadata: { generation: number };
    };
    const rolls = rollsOf(events, name);
    const times = rolls.map(({ time }) => Date.parse(time) - began).join(", ");
    expect(workload.metadata.generation - 1, name).toBe(rolls.length);
    expect(rolls.length, `${name} rolled ${times} ms after the first change`).toBeLessThanOrEqual(
      most,
    );
    expect(rolls.length, name).toBeGreaterThanOrEqual(2);
    expect(digestsOf(workload), name).toEqual(wanted);
  }
  expect(faultsOf(events)).toEqual([]);
  const metrics = await (await fetch(`${restarter.http()}/metrics`)).text();
  const conflicts = Number(/^rollcast_record_conflicts_total (\d+)$/m.exec(metrics)?.[1]);
  // One replica's plans and rollouts of a workload wait for each other: races cost more than work.
  expect(conflicts, "writes that lost a race").toBeLessThan(CHANGES.least);
});
