import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { parseMarker } from "../src/model/content.ts";
import { faultsOf, startRestarterHarness } from "./harness.ts";

test("a storm of 100 changes in 10 s is at most one rollout a second, and the last content is applied without a resync", async () => {
  await using harness = await startRestarterHarness({
    config: {
      queues: [{ name: "default", window: "1s" }],
      rollout: { resyncInterval: "1h" },
    },
  });
  await harness.adopt("cfg", "0");
  const names = await harness.deployMany(50);
  await harness.start();
  await harness.waitAll(names);

  const began = Date.now();
  for (let i = 1; i <= 100; i++) {
    await harness.change("cfg", String(i));
    await sleep(100);
  }
  const lastChange = Date.now();
  // One per window of a second, and one at either end: 12 if the storm takes its 10 s.
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
  const starts = events.filter((event) => event.type.includes("started"));
  for (const name of names) {
    const workload = (await harness.get(name)) as unknown as typeof marker & {
      metadata: { generation: number };
    };
    const rolls = starts.filter(({ subject }) => subject?.endsWith(`/${name}`) === true);
    const times = rolls.map(({ time }) => Date.parse(time) - began).join(", ");
    expect(workload.metadata.generation - 1, name).toBe(rolls.length);
    expect(rolls.length, `${name} rolled ${times} ms after the first change`).toBeLessThanOrEqual(
      most,
    );
    expect(rolls.length, name).toBeGreaterThanOrEqual(2);
    expect(digestsOf(workload), name).toEqual(wanted);
  }
  expect(faultsOf(events)).toEqual([]);
});
