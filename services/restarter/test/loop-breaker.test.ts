import { setTimeout as sleep } from "node:timers/promises";
import { eventOutcome } from "@rollcast/shared/events";
import { paths } from "@rollcast/testkit/objects";
import { expect, test } from "vitest";
import { startRestarterHarness, wordsOf } from "./harness.ts";

const USES = [{ as: "envFrom", configMap: "cfg" }] as const;
const LOOP_MS = 120_000;

test("controllers that rewrite a source every 200 ms and remove our marker every second are slowed down, and the last content is applied", async () => {
  const loopBreaker = { maxRollouts: 5, period: "1m", minInterval: "2s", maxInterval: "30s" };
  await using harness = await startRestarterHarness({
    config: { rollout: { loopBreaker }, queues: [{ name: "default", window: "100ms" }] },
  });
  const { api, namespace } = harness;
  await harness.adopt("cfg", "0");
  await harness.deploy("rewritten", { uses: USES, replicas: 0 });
  await harness.deploy("unmarked", { uses: USES, replicas: 0 });
  await Promise.all([harness.start(), harness.start()]);
  await harness.waitAll(["rewritten", "unmarked"]);

  const until = Date.now() + LOOP_MS;
  const rewrite = async () => {
    for (let i = 1; Date.now() < until; i++) {
      await harness.change("cfg", `loop ${i}`, "bad-controller");
      await sleep(200);
    }
  };
  const removeMarker = async () => {
    while (Date.now() < until) {
      await api.patch(paths.deployment(namespace, "unmarked"), {
        spec: { template: { metadata: { annotations: { "rollcast.dev/config": null } } } },
      });
      await sleep(1_000);
    }
  };
  await Promise.all([rewrite(), removeMarker()]);
  await harness.change("cfg", "the last");
  await harness.waitAll(["rewritten", "unmarked"], 60_000);

  const events = await harness.events();
  for (const name of ["rewritten", "unmarked"]) {
    const words = wordsOf(events, name);
    const starts = words.filter((outcome) => outcome === "started").length;
    // Five at once, then after 2, 2, 4, 8, 16, 30, 30, ... s.
    expect(starts, name).toBeLessThanOrEqual(5 + 10);
    expect(starts, name).toBeGreaterThanOrEqual(5 + 4);
    expect(
      words.filter((outcome) => outcome === "throttled"),
      name,
    ).toHaveLength(1);
  }
  const throttled = events.find((event) => eventOutcome(event.type).outcome === "throttled");
  expect(throttled?.data).toMatchObject({
    reason: "Throttled",
    cause: { name: "cfg", changedBy: { manager: "bad-controller" } },
  });
});
