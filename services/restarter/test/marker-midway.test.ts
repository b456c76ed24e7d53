import { openNodeSelector } from "@rollcast/testkit/closed-nodes";
import { waitRolledOut } from "@rollcast/testkit/objects";
import { pathOf, statefulSet } from "@rollcast/testkit/shapes";
import { waitFor } from "@rollcast/testkit/wait";
import { afterAll, beforeAll, expect, test } from "vitest";
import { faultsOf, wordsOf } from "./harness.ts";
import type { RestarterHarness } from "./harness.ts";
import { HALFWAY, TAKEN_OFF, startMarkerHarness } from "./marker-harness.ts";
import type { MarkerHarness, Workload } from "./marker-harness.ts";

let marker: MarkerHarness;
let harness: RestarterHarness;

beforeAll(async () => {
  marker = await startMarkerHarness();
  ({ harness } = marker);
});

afterAll(() => harness[Symbol.asyncDispose]());

test.concurrent.each([
  { name: "undone", how: "is undone", write: (name: string) => marker.undo(name, 1) },
  {
    name: "replaced",
    how: "is replaced by its manifest",
    write: (name: string) => marker.replace(name),
  },
  {
    name: "owned",
    how: "has an owner who takes the marker off",
    write: (name: string) => marker.strip(name),
  },
])("a Deployment that $how in mid-rollout is rolled again", async ({ name, write }) => {
  await marker.deploy(name);
  const before = await marker.uidsOf(name);
  await marker.rollHalfway(name);
  await write(name);

  // A write that only takes something off leaves no trace of its field manager.
  expect(await marker.endOf(name, 2)).toContain(`MarkerRemoved: ${TAKEN_OFF}`);
  expect(await marker.finish(name, before)).toEqual(HALFWAY);
});

test.concurrent("a Deployment that is undone to an older marker in mid-rollout is rolled again, and its field manager is named", async () => {
  const name = "older";
  await marker.deploy(name);
  await harness.change(name, "1");
  await harness.waitEvent("succeeded", name);
  await waitRolledOut(harness.api, harness.namespace, name);
  const before = await marker.uidsOf(name);
  await marker.rollHalfway(name, "2", 2);
  await marker.undo(name, 2);

  const how = TAKEN_OFF.replace("taken off", "replaced on");
  expect(await marker.endOf(name, 3)).toBe(
    `MarkerRemoved: ${how}, last written by field manager kubectl`,
  );
  const words = await marker.finish(name, before, 2);
  expect(words).toEqual(["planned", "started", "succeeded", ...HALFWAY]);
});

test.concurrent("an edit in mid-rollout that brings back the template of pods which still run does not count as their restart", async () => {
  const name = "edited";
  await marker.deploy(name);
  const before = await marker.uidsOf(name);
  await marker.hold(name);
  const containers = [{ name: "app", image: "example/app:2" }];
  await harness.api.call({
    method: "PATCH",
    path: marker.pathOfWeb(name),
    body: { spec: { template: { spec: { containers } } } },
    contentType: "application/strategic-merge-patch+json",
    manager: "kubectl-set",
  });
  await harness.waitRecord(name, ({ generation }) => generation === 2);
  await marker.rollHalfway(name);
  await marker.undo(name, 1);

  expect(await marker.endOf(name, 2)).toContain("MarkerRemoved");
  expect(await marker.finish(name, before)).toEqual(HALFWAY);
});

test.concurrent("a StatefulSet that is replaced by its manifest after its highest ordinal is rolled again", async () => {
  const { api, namespace } = harness;
  const name = "db";
  const set = statefulSet(namespace, name, {
    replicas: 2,
    uses: [{ as: "envFrom", configMap: name }],
  }) as Workload & { spec: { template: { spec: { nodeSelector?: object } } } };
  set.spec.template.spec.nodeSelector = openNodeSelector(harness.namespace, name);
  const sets = pathOf("apps/v1", namespace, "statefulsets");
  const isReady = async () => {
    const { status } = await api.get<{ status: { availableReplicas?: number } }>(`${sets}/${name}`);
    return status.availableReplicas === 2;
  };
  await marker.setOpen(name, true);
  await harness.adopt(name, "0");
  await api.create(sets, set);
  await waitFor(isReady, { message: "both pods" });
  await harness.waitCurrent("StatefulSet", name);
  const before = await marker.uidsOf(name);
  await marker.rollHalfway(name);
  await api.call({ method: "PUT", path: `${sets}/${name}`, body: set, manager: "kubectl-replace" });

  expect(await marker.endOf(name, 2)).toContain(`MarkerRemoved: ${TAKEN_OFF}`);
  await marker.setOpen(name, true);
  await harness.waitEvent("succeeded", name);
  expect((await marker.uidsOf(name)).filter((uid) => before.includes(uid))).toEqual([]);
  expect(wordsOf(await harness.events(), name)).toEqual(HALFWAY);
});

test("each rollout of these has one beginning and one end", async () => {
  expect(faultsOf(await harness.events())).toEqual([]);
});
