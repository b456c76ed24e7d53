import { addPolicy, tryAnnotations } from "@rollcast/testkit/admission-policy";
import { waitFor } from "@rollcast/testkit/wait";
import { afterAll, beforeAll, expect, test } from "vitest";
import { MARKER } from "../src/model/content.ts";
import { faultsOf, wordsOf } from "./harness.ts";
import type { RestarterHarness } from "./harness.ts";
import { MARKER_PATH, TAKEN_OFF, startMarkerHarness } from "./marker-harness.ts";
import type { MarkerHarness, Workload } from "./marker-harness.ts";

let marker: MarkerHarness;
let harness: RestarterHarness;

beforeAll(async () => {
  marker = await startMarkerHarness();
  ({ harness } = marker);
});

afterAll(() => harness[Symbol.asyncDispose]());

type Detail = { next: { do: string; reason?: string; message?: string } };

test.concurrent("an operator that takes every marker off at once is given up after three, until a request or other content", async () => {
  const name = "looped";
  await marker.deploy(name);
  const before = await marker.uidsOf(name);
  await marker.hold(name);
  const stop = new AbortController();
  const stripping = (async () => {
    while (!stop.signal.aborted) {
      const { spec } = await harness.api.get<Workload>(marker.pathOfWeb(name));
      const { annotations = {} } = spec.template.metadata;
      if (MARKER in annotations) await marker.strip(name);
    }
  })();
  await harness.change(name, "1");
  const { reason, message } = await harness.waitEvent("deferred", name);
  stop.abort();
  await stripping;

  expect(`${reason}: ${message}`).toContain(`MarkerStripped: 3 times in a row: ${TAKEN_OFF}`);
  const thrice = Array.from({ length: 3 }, () => ["started", "superseded"]).flat();
  expect(wordsOf(await harness.events(), name)).toEqual(["planned", ...thrice, "deferred"]);
  const { next } = await marker.ask<Detail>(name);
  expect(next).toEqual({ do: "wait", reason, message });

  await marker.ask(name, "roll");
  await harness.waitEvent("started", name, 4);
  await marker.strip(name);
  await harness.waitEvent("deferred", name, 2);
  await harness.change(name, "2");
  await harness.waitEvent("started", name, 5);
  const words = await marker.finish(name, before);
  expect(words.slice(8)).toEqual([
    "started",
    "superseded",
    "deferred",
    "planned",
    "started",
    "succeeded",
  ]);
});

/** Takes Rollcast's annotation off each write of one Deployment, and changes more in it. */
async function addStripping(name: string, more: readonly string[]) {
  const { api, namespace } = harness;
  const annotations = "object.spec.template.metadata.annotations";
  const is = `object.metadata.name == '${name}' && has(${annotations}) && '${MARKER}' in ${annotations}`;
  const operations = [`JSONPatch{op: "remove", path: "${MARKER_PATH}"}`, ...more];
  const policy = await addPolicy(api, {
    kind: "MutatingAdmissionPolicy",
    name: `${name}-${namespace}`,
    namespace,
    operations: ["UPDATE"],
    spec: {
      reinvocationPolicy: "Never",
      matchConditions: [{ name: "is", expression: is }],
      mutations: [
        { patchType: "JSONPatch", jsonPatch: { expression: `[${operations.join(", ")}]` } },
      ],
    },
  });
  const isInForce = async () => {
    const { spec } = await tryAnnotations<Workload>(api, namespace, name, {
      [MARKER]: "x",
      a: "x",
    });
    return !(MARKER in (spec.template.metadata.annotations ?? {}));
  };
  await waitFor(isInForce, { message: "the policy to be in force" });
  return policy;
}

test.concurrent("an annotation that admission takes off is told once, however often it is tried", async () => {
  const name = "stripped";
  await marker.deploy(name);
  const before = await marker.uidsOf(name);
  await using _policy = await addStripping(name, []);
  await harness.change(name, "1");
  const { reason, message } = await harness.waitEvent("failed", name);
  expect(reason).toBe("MarkerNotKept");
  expect(message).toContain("an admission policy removes it");
  expect(message).not.toContain("restarts the pods");
  await marker.ask(name, "retry");
  await harness.waitRecord(name, ({ failure }) => failure?.attempts === 2);

  expect((await harness.get(name)).metadata.generation).toBe(1);
  expect((await marker.uidsOf(name)).toSorted()).toEqual(before.toSorted());
  expect(wordsOf(await harness.events(), name)).toEqual(["planned", "failed"]);
});

test.concurrent("where admission changes the template, too, it is told that this restarts the pods", async () => {
  const name = "stripped-and-changed";
  await marker.deploy(name);
  const before = await marker.uidsOf(name);
  const label = 'JSONPatch{op: "add", path: "/spec/template/metadata/labels/by", value: "policy"}';
  await using _policy = await addStripping(name, [label]);
  await harness.change(name, "1");
  const { reason, message } = await harness.waitEvent("failed", name);
  expect(reason).toBe("MarkerNotKept");
  expect(message).toContain("admission changed the pod template in the same write");
  expect(message).toContain("restarts the pods");
  await waitRestarted(name, before);
  // As after an edit of the template by others.
  await harness.waitRecord(name, ({ phase }) => phase === "current");

  expect((await harness.get(name)).metadata.generation).toBe(2);
  expect(wordsOf(await harness.events(), name)).toEqual(["planned", "failed"]);
});

/** Waits until none of these pods is left. */
function waitRestarted(name: string, before: readonly string[]) {
  return waitFor(async () => (await marker.uidsOf(name)).every((uid) => !before.includes(uid)), {
    message: `new pods of ${name}`,
  });
}

test("each rollout of these has one beginning and one end", async () => {
  expect(faultsOf(await harness.events())).toEqual([]);
});
