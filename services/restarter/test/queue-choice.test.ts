import type { AnyObject } from "@rollcast/testkit/test-api";
import { paths } from "@rollcast/testkit/objects";
import { waitFor } from "@rollcast/testkit/wait";
import { expect, test } from "vitest";
import { startRestarterHarness } from "./harness.ts";
import type { RestarterHarness } from "./harness.ts";

type Told = AnyObject & { reason: string; note: string; regarding: { name: string } };

async function refusals(harness: RestarterHarness): Promise<string[]> {
  const { items } = await harness.api.get<{ items: Told[] }>(paths.event(harness.namespace));
  return items
    .filter(({ reason }) => reason === "InvalidAnnotation")
    .map(({ regarding, note }) => `${regarding.name}: ${note}`)
    .toSorted();
}

test("a workload is in the queue chosen by the present labels of its namespace, its own labels and its annotation", async () => {
  const queues = [
    { name: "gold", match: { namespaceSelector: "tier=gold" }, window: "100ms" },
    { name: "canary", match: { workloadSelector: "canary" }, window: "100ms" },
    { name: "default", window: "100ms" },
  ];
  const queueAnnotation = { namespaceSelector: "may-choose" };
  await using harness = await startRestarterHarness({ config: { queues, queueAnnotation } });
  const { api, namespace } = harness;
  // With namespaces in the scope their labels would be unknown.
  const scope = { namespaceSelector: `kubernetes.io/metadata.name=${namespace}` };
  const namespacePath = `/api/v1/namespaces/${namespace}`;
  await harness.adopt("cfg", "0");
  const names = ["plain", "canary", "choosing", "lost"];
  for (const name of names)
    await harness.deploy(name, { uses: [{ as: "envFrom", configMap: "cfg" }], replicas: 0 });
  const annotate = (name: string, queue: string) =>
    api.patch(paths.deployment(namespace, name), {
      metadata: { annotations: { "rollcast.dev/queue": queue } },
    });
  await api.patch(paths.deployment(namespace, "canary"), {
    metadata: { labels: { canary: "yes" } },
  });
  await annotate("choosing", "gold");
  await annotate("lost", "glod");
  await Promise.all([harness.start({ config: { scope } }), harness.start({ config: { scope } })]);
  await harness.waitAll(names);
  const queuesOf = (round: number) =>
    Promise.all(names.map(async (name) => (await harness.waitEvent("started", name, round)).queue));

  await harness.change("cfg", "1");
  expect(await queuesOf(1)).toEqual(["default", "canary", "default", "default"]);
  const published = await waitFor(async () => {
    const lines = await refusals(harness);
    return lines.length >= 2 ? lines : undefined;
  });
  expect(published).toEqual([
    `choosing: rollcast.dev/queue: "gold" is no queue that queueAnnotation lets namespace ${namespace} choose: rolled in the queue default`,
    'lost: rollcast.dev/queue: "glod" is no queue: rolled in the queue default',
  ]);

  await harness.waitAll(names);
  await api.patch(namespacePath, { metadata: { labels: { "may-choose": "" } } });
  await annotate("plain", "canary");
  await harness.change("cfg", "2");
  expect(await queuesOf(2)).toEqual(["canary", "canary", "gold", "default"]);

  await harness.waitAll(names);
  await api.patch(namespacePath, { metadata: { labels: { "may-choose": null, tier: "gold" } } });
  await annotate("lost", "gold");
  await harness.change("cfg", "3");
  expect(await queuesOf(3)).toEqual(["gold", "gold", "gold", "gold"]);
  const refused = await waitFor(async () => {
    const lines = await refusals(harness);
    return lines.length >= 3 ? lines : undefined;
  });
  expect(refused[2]).toMatch(/"canary" is no queue that .* choose: rolled in the queue gold/);
});
