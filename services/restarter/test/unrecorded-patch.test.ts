import { addPolicy, tryAnnotations } from "@rollcast/testkit/admission-policy";
import { paths } from "@rollcast/testkit/objects";
import type { AnyObject } from "@rollcast/testkit/test-api";
import { waitFor } from "@rollcast/testkit/wait";
import { expect, test } from "vitest";
import { startRestarterHarness, wordsOf } from "./harness.ts";

type Labelled = AnyObject & {
  readonly spec: { readonly template: { readonly metadata: { readonly labels?: object } } };
};

const LABEL = `[JSONPatch{op: "add", path: "/spec/template/metadata/labels/by", value: "policy"}]`;

test("a patch that admission changed, and that was not recorded, is followed to its end, also where an autoscaler wrote since", async () => {
  await using harness = await startRestarterHarness();
  const { api, namespace } = harness;
  await harness.adopt("cfg", "0");
  await harness.deploy("web", { uses: [{ as: "envFrom", configMap: "cfg" }], replicas: 1 });
  const killed = await harness.start({ env: { ROLLCAST_TEST_KILL_AT: "patched:1" } });
  await harness.waitCurrent("Deployment", "web");
  const mutations = [{ patchType: "JSONPatch", jsonPatch: { expression: LABEL } }];
  await using _ = await addPolicy(api, {
    kind: "MutatingAdmissionPolicy",
    name: `label-${namespace}`,
    namespace,
    operations: ["UPDATE"],
    spec: { reinvocationPolicy: "Never", mutations },
  });
  const isInForce = async () => {
    const { spec } = await tryAnnotations<Labelled>(api, namespace, "web", { probe: "x" });
    return Object.hasOwn(spec.template.metadata.labels ?? {}, "by");
  };
  await waitFor(isInForce, { message: "the policy to be in force" });

  await harness.change("cfg", "1");
  expect(await killed.exited).toBe("SIGKILL");
  await api.call({
    method: "PATCH",
    path: `${paths.deployment(namespace, "web")}/scale`,
    body: { spec: { replicas: 3 } },
    contentType: "application/merge-patch+json",
    manager: "hpa",
  });
  await harness.start();
  await harness.waitEvent("succeeded", "web");
  const words = wordsOf(await harness.events(), "web").filter((word) => word !== "planned");
  expect(words).toEqual(["started", "succeeded"]);
});
