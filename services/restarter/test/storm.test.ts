import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { faultsOf, startRig } from "./rig.ts";

test("a storm of 100 changes in 10 s is at most 12 rollouts each, and the last content is applied within 3 s", async () => {
  await using rig = await startRig({ config: { queues: [{ name: "default", window: "1s" }] } });
  await rig.adopt("cfg", "0");
  const names = await rig.deployMany(50);
  await rig.start();
  await rig.waitAll(names);

  for (let i = 1; i <= 100; i++) {
    await rig.change("cfg", String(i));
    await sleep(100);
  }
  const lastChange = Date.now();
  await rig.waitAll(names);

  const marker = (await rig.get("web-0")) as unknown as {
    spec: { template: { metadata: { annotations: Record<string, string> } } };
  };
  const wanted = marker.spec.template.metadata.annotations["rollcast.dev/config"];
  for (const name of names) {
    const one = (await rig.get(name)) as unknown as typeof marker & {
      metadata: { generation: number };
    };
    expect(one.metadata.generation - 1, name).toBeLessThanOrEqual(12);
    expect(one.metadata.generation - 1, name).toBeGreaterThanOrEqual(2);
    expect(one.spec.template.metadata.annotations["rollcast.dev/config"], name).toBe(wanted);
  }
  const events = await rig.events();
  const lastStart = Math.max(
    ...events
      .filter((event) => event.type.includes("started"))
      .map((event) => Date.parse(event.time)),
  );
  expect(lastStart - lastChange).toBeLessThan(3_000);
  expect(faultsOf(events)).toEqual([]);
}, 300_000);
