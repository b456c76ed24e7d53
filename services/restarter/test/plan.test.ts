import { setTimeout as sleep } from "node:timers/promises";
import { recordKey } from "@rollcast/shared/subjects";
import { openKv } from "@rollcast/nats/kv";
import { CLUSTER } from "@rollcast/testkit/harness/base-config";
import { waitRolledOut } from "@rollcast/testkit/objects";
import { waitFor } from "@rollcast/testkit/wait";
import { expect, test } from "vitest";
import { WorkloadRecord } from "../src/model/workload-record.ts";
import { startRestarterHarness, wordsOf } from "./harness.ts";

test("a rollout that is planned at the first look, and needed no more, has its end", async () => {
  // So long a plan waits for its job.
  const queues = [{ name: "default", window: "3s" }];
  await using harness = await startRestarterHarness({ config: { queues } });
  const { api, namespace, connection } = harness;
  await harness.adopt("cfg", "0");
  await harness.deploy("web", { uses: [{ as: "envFrom", configMap: "cfg" }] });
  await waitRolledOut(api, namespace, "web");
  await harness.start();
  await harness.waitCurrent("Deployment", "web");
  await harness.change("cfg", "1");
  await harness.waitEvent("succeeded", "web");
  await harness.waitCurrent("Deployment", "web");

  // As in a NATS that lost it: the marker alone says what the pods run.
  const records = await openKv(connection, "workloads", WorkloadRecord);
  const key = recordKey(CLUSTER, { kind: "Deployment", namespace, name: "web" });
  const { revision = 0 } = (await records.get(key)) ?? {};
  expect(await records.remove(key, revision)).toBe(true);
  // Pods say in whole seconds when they began.
  await sleep(1_100);
  await harness.change("cfg", "2");
  const words = async () => wordsOf(await harness.events(), "web");
  const before = ["planned", "started", "succeeded"];
  await waitFor(async () => (await words()).length > before.length, { message: "the plan" });
  await harness.change("cfg", "1");
  await waitFor(async () => (await words()).length > before.length + 1, { message: "its end" });

  expect(await words()).toEqual([...before, "planned", "superseded"]);
  const last = (await harness.events()).at(-1);
  expect(last?.data).toMatchObject({ reason: "NewerContent" });
  expect(last?.data).not.toHaveProperty("rollout");
});
