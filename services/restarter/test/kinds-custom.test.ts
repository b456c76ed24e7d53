import { randomBytes } from "node:crypto";
import type { AnyObject } from "@rollcast/testkit/test-api";
import { waitFor } from "@rollcast/testkit/wait";
import { expect, test } from "vitest";
import { DEFINITIONS, define, pathIn, setStatus } from "@rollcast/testkit/definitions";
import { faultsOf, startRig, wordsOf } from "./rig.ts";
import type { Rig } from "./rig.ts";
import { custom } from "@rollcast/testkit/shapes";

async function generationOf(rig: Rig, path: string): Promise<number> {
  return (await rig.api.get<AnyObject>(path)).metadata.generation ?? 0;
}

test("a configured kind is followed once it is served, rolled, and dropped when it is removed", async () => {
  await using rig = await startRig();
  const { api, namespace } = rig;
  const group = `t${randomBytes(4).toString("hex")}.example.com`;
  const app = { group, version: "v1", kind: "App", plural: "applications" };
  await rig.adopt("cfg", "0");
  await rig.deploy("web", { uses: [{ as: "envFrom", configMap: "cfg" }], replicas: 0 });
  const kinds = [{ ...app, templatePath: "spec.template" }];
  const restarter = await rig.start({ config: { kinds } });

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
  await rig.waitCurrent("App", "one");
  await rig.change("cfg", "1");
  await rig.waitEvent("started", "one");
  await rig.waitEvent("succeeded", "web");
  expect(await generationOf(rig, path)).toBe(2);
  const ready = (status: string) => ({
    observedGeneration: 2,
    conditions: [{ type: "Ready", status, reason: "Rolling" }],
  });
  await setStatus(api, path, ready("False"));
  expect((await rig.record("one", "App"))?.phase).toBe("rolling");
  await setStatus(api, path, ready("True"));
  await rig.waitEvent("succeeded", "one");
  expect(wordsOf(await rig.events(), "one")).toEqual(["planned", "started", "succeeded"]);

  await api.remove(`${DEFINITIONS}/${app.plural}.${group}`);
  await restarter.waitLog(({ msg }) => msg === "kind no longer served", 60_000);
  await waitFor(async () => (await rig.record("one", "App")) === undefined, {
    message: "the record to be gone with its workload",
  });
  await rig.change("cfg", "2");
  await rig.waitEvent("succeeded", "web", 2);
  expect((await fetch(`${restarter.http()}/readyz`)).status).toBe(200);
  expect(faultsOf(await rig.events())).toEqual([]);
});

test("a DeploymentConfig is rolled, and ends as its controller reports for its newest version", async () => {
  await using rig = await startRig();
  const { api, namespace } = rig;
  const [group, version, kind, plural] = [
    "apps.openshift.io",
    "v1",
    "DeploymentConfig",
    "deploymentconfigs",
  ] as const;
  const config = { group, version, kind, plural };
  await define(api, config);
  await rig.adopt("cfg", "0");
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
  await rig.start();
  await rig.waitCurrent(kind, "dc", "manual", "stuck");

  await rig.change("cfg", "1");
  for (const name of ["dc", "manual", "stuck"]) {
    await rig.waitEvent("started", name);
    expect(await generationOf(rig, pathIn(namespace, config, name)), name).toBe(2);
    // Its controller has observed the new template; the new version has not begun.
    await setStatus(api, pathIn(namespace, config, name), status(1, 2));
  }
  expect((await rig.waitEvent("succeeded", "manual")).reason).toBe("Manual");
  expect((await rig.record("dc", kind))?.phase).toBe("rolling");
  await setStatus(api, pathIn(namespace, config, "dc"), status(2, 2));
  expect((await rig.waitEvent("succeeded", "dc")).reason).toBe("Complete");
  const conditions = [{ type: "Progressing", status: "False", reason: "ProgressDeadlineExceeded" }];
  await setStatus(api, pathIn(namespace, config, "stuck"), { ...status(2, 2, 0), conditions });
  expect((await rig.waitEvent("failed", "stuck")).reason).toBe("ProgressDeadlineExceeded");
  expect(faultsOf(await rig.events())).toEqual([]);
});
