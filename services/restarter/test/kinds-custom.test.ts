import { randomBytes } from "node:crypto";
import type { AnyObject } from "@rollcast/testkit/test-api";
import { waitFor } from "@rollcast/testkit/wait";
import { expect, test } from "vitest";
import { DEFINITIONS, define, pathIn, setStatus } from "@rollcast/testkit/definitions";
import { faultsOf, startRestarterHarness, wordsOf } from "./harness.ts";
import type { RestarterHarness } from "./harness.ts";
import { custom } from "@rollcast/testkit/shapes";

async function generationOf(harness: RestarterHarness, path: string): Promise<number> {
  return (await harness.api.get<AnyObject>(path)).metadata.generation ?? 0;
}

test("a configured kind is followed once it is served, rolled, and dropped when it is removed", async () => {
  await using harness = await startRestarterHarness();
  const { api, namespace } = harness;
  const group = `t${randomBytes(4).toString("hex")}.example.com`;
  const app = { group, version: "v1", kind: "App", plural: "applications" };
  await harness.adopt("cfg", "0");
  await harness.deploy("web", { uses: [{ as: "envFrom", configMap: "cfg" }], replicas: 0 });
  const kinds = [{ ...app, templatePath: "spec.template" }];
  const restarter = await harness.start({ config: { kinds } });

  await define(api, app);
  await api.create(
    pathIn(namespace, app),
    custom(`${group}/v1`, "App", { namespace, name: "one" }),
  );
  const path = pathIn(namespace, app, "one");
  await setStatus(api, path, {
    observedGeneration: 1,
    conditions: [{ type: "Ready", status: "True" }],
  });
  await harness.waitCurrent("App", "one");
  await harness.change("cfg", "1");
  await harness.waitEvent("started", "one");
  await harness.waitEvent("succeeded", "web");
  expect(await generationOf(harness, path)).toBe(2);
  const ready = (status: string) => ({
    observedGeneration: 2,
    conditions: [{ type: "Ready", status, reason: "Rolling" }],
  });
  await setStatus(api, path, ready("False"));
  expect((await harness.record("one", "App"))?.phase).toBe("rolling");
  await setStatus(api, path, ready("True"));
  await harness.waitEvent("succeeded", "one");
  expect(wordsOf(await harness.events(), "one")).toEqual(["planned", "started", "succeeded"]);

  await api.remove(`${DEFINITIONS}/${app.plural}.${group}`);
  await restarter.waitLog(({ msg }) => msg === "kind no longer served", 60_000);
  await waitFor(async () => (await harness.record("one", "App")) === undefined, {
    message: "the record to be gone with its workload",
  });
  await harness.change("cfg", "2");
  await harness.waitEvent("succeeded", "web", 2);
  expect((await fetch(`${restarter.http()}/readyz`)).status).toBe(200);
  expect(faultsOf(await harness.events())).toEqual([]);
});

test("a DeploymentConfig is rolled, and ends as its controller reports for its newest version", async () => {
  await using harness = await startRestarterHarness();
  const { api, namespace } = harness;
  const [group, version, kind, plural] = [
    "apps.openshift.io",
    "v1",
    "DeploymentConfig",
    "deploymentconfigs",
  ] as const;
  const config = { group, version, kind, plural };
  await define(api, config);
  await harness.adopt("cfg", "0");
  const make = (name: string, spec: object = {}) =>
    api.create(
      pathIn(namespace, config),
      custom(`${group}/v1`, kind, { namespace, name }, { spec }),
    );
  const status = (latestVersion: number, observedGeneration: number, updatedReplicas = 1) => ({
    latestVersion,
    observedGeneration,
    replicas: 1,
    updatedReplicas,
    availableReplicas: 1,
  });
  await make("dc");
  await make("manual", { triggers: [] });
  await make("stuck");
  for (const name of ["dc", "manual", "stuck"]) {
    await setStatus(api, pathIn(namespace, config, name), status(1, 1));
  }
  await harness.start();
  await harness.waitCurrent(kind, "dc", "manual", "stuck");

  await harness.change("cfg", "1");
  for (const name of ["dc", "manual", "stuck"]) {
    await harness.waitEvent("started", name);
    expect(await generationOf(harness, pathIn(namespace, config, name)), name).toBe(2);
    // Its controller has observed the new template; the new version has not begun.
    await setStatus(api, pathIn(namespace, config, name), status(1, 2));
  }
  expect((await harness.waitEvent("succeeded", "manual")).reason).toBe("Manual");
  expect((await harness.record("dc", kind))?.phase).toBe("rolling");
  await setStatus(api, pathIn(namespace, config, "dc"), status(2, 2));
  expect((await harness.waitEvent("succeeded", "dc")).reason).toBe("Complete");
  const conditions = [{ type: "Progressing", status: "False", reason: "ProgressDeadlineExceeded" }];
  await setStatus(api, pathIn(namespace, config, "stuck"), { ...status(2, 2, 0), conditions });
  expect((await harness.waitEvent("failed", "stuck")).reason).toBe("ProgressDeadlineExceeded");
  expect(faultsOf(await harness.events())).toEqual([]);
});

test("a kind whose API fails at the start keeps its records and no other kind, and is rolled once it answers", async () => {
  await using harness = await startRestarterHarness({ faultProxy: true });
  const { api, namespace, proxy } = harness;
  const group = `t${randomBytes(4).toString("hex")}.example.com`;
  const app = { group, version: "v1", kind: "App", plural: "applications" };
  const config = { kinds: [{ ...app, templatePath: "spec.template" }] };
  await define(api, app);
  await harness.adopt("cfg", "0");
  await harness.deploy("web", { uses: [{ as: "envFrom", configMap: "cfg" }], replicas: 0 });
  await api.create(
    pathIn(namespace, app),
    custom(`${group}/v1`, "App", { namespace, name: "one" }),
  );
  const before = await harness.start({ config });
  await harness.waitCurrent("App", "one");
  await before.kill();

  proxy.rules([{ path: new RegExp(group), fault: { do: "answer", status: 503 } }]);
  const restarter = await harness.start({ config });
  const read = async (path: string) => (await fetch(`${restarter.http()}${path}`)).text();
  await harness.change("cfg", "1");
  await harness.waitEvent("succeeded", "web");
  expect(await read("/readyz")).toContain("App is not followed, its API fails: 503");
  expect(await read("/metrics")).toContain('rollcast_kind_unavailable{kind="App"} 1');
  // Its record is reconciled like others, and nobody takes its workload for gone.
  const failing = `reconciling fails, and is tried again: App/${namespace}/one`;
  await waitFor(async () => (await read("/readyz")).includes(failing), {
    timeout: 30_000,
    message: "the workload to be named",
  });
  expect(await harness.record("one", "App")).toMatchObject({ phase: "current" });

  proxy.rules([]);
  await harness.waitEvent("started", "one");
  await waitFor(async () => !(await read("/readyz")).includes("App is not followed"), {
    timeout: 30_000,
    message: "the kind to be followed",
  });
  expect(wordsOf(await harness.events(), "one")).not.toContain("cancelled");
});
