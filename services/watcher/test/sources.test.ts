import { configMap, paths, secret } from "@rollcast/testkit/objects";
import { waitFor } from "@rollcast/testkit/wait";
import { expect, test } from "vitest";
import { expectConsistent } from "./consistency.ts";
import { startWatcherHarness, changesOf } from "./harness.ts";
import type { WatcherHarness } from "./harness.ts";

async function waitTold(harness: WatcherHarness, name: string, last: string): Promise<void> {
  const look = async () => changesOf(await harness.events(), name).at(-1) === last;
  await waitFor(look, { message: `${name} to be published as ${last}` });
}

test("the first sync publishes nothing; then each change is published once, a metadata edit never", async () => {
  await using harness = await startWatcherHarness();
  const { api, namespace } = harness;
  await api.create(paths.configMap(namespace), configMap(namespace, "web", { LOG: "a", OLD: "x" }));
  await api.create(paths.secret(namespace), secret(namespace, "db", { password: "hunter2" }));
  await using _watcher = await harness.startInProcess();
  expect(await harness.events()).toEqual([]);

  await api.patch(paths.configMap(namespace, "web"), { metadata: { labels: { a: "b" } } });
  await api.patch(
    paths.configMap(namespace, "web"),
    {
      data: { LOG: "b", OLD: null, NEW: "y" },
    },
    "kubectl-edit",
  );
  await waitTold(harness, "web", "changed DataChanged");
  await api.patch(paths.secret(namespace, "db"), { stringData: { password: "hunter3" } });
  await waitTold(harness, "db", "changed DataChanged");

  const [web, db] = await harness.events();
  expect(web?.data).toEqual({
    kind: "ConfigMap",
    namespace,
    name: "web",
    uid: expect.any(String),
    resourceVersion: expect.stringMatching(/^\d+$/),
    changedKeys: { added: ["NEW"], changed: ["LOG"], removed: ["OLD"] },
    changedBy: { manager: "kubectl-edit", time: expect.any(String) },
    reason: "DataChanged",
  });
  expect(db?.data.changedKeys).toEqual({ added: [], changed: ["password"], removed: [] });
  expect(await harness.events()).toHaveLength(2);
  await expectConsistent(harness);
});

test("created, deleted and re-created sources", async () => {
  await using harness = await startWatcherHarness();
  const { api, namespace } = harness;
  await using _watcher = await harness.startInProcess();
  const create = (data: Record<string, string>) =>
    api.create(paths.secret(namespace), secret(namespace, "tls", data));
  const remove = () => api.remove(paths.secret(namespace, "tls"));

  await create({ crt: "1" });
  await waitTold(harness, "tls", "created Created");
  await remove();
  await waitTold(harness, "tls", "deleted Deleted");
  await create({ crt: "1" });
  await waitTold(harness, "tls", "created Recreated");
  await remove();
  await waitTold(harness, "tls", "deleted Deleted");
  await create({ crt: "2" });
  await waitTold(harness, "tls", "changed Recreated");

  await expectConsistent(harness);
  expect(await harness.events()).toHaveLength(5);
});

test("what changed while no watcher ran is found by the first list", async () => {
  await using harness = await startWatcherHarness();
  const { api, namespace } = harness;
  const put = (name: string) =>
    api.create(paths.configMap(namespace), configMap(namespace, name, { v: "1" }));
  for (const name of ["same", "edited", "gone", "again", "replaced"]) await put(name);
  {
    await using _first = await harness.startInProcess();
  }
  await api.patch(paths.configMap(namespace, "edited"), { data: { v: "2" } });
  for (const name of ["gone", "again", "replaced"]) {
    await api.remove(paths.configMap(namespace, name));
  }
  await put("again");
  await api.create(paths.configMap(namespace), configMap(namespace, "replaced", { v: "2" }));
  await put("new");

  await using _second = await harness.startInProcess();

  await expectConsistent(harness);
  const events = await harness.events();
  expect(changesOf(events, "same")).toEqual([]);
  expect(changesOf(events, "edited")).toEqual(["changed DataChanged"]);
  expect(changesOf(events, "gone")).toEqual(["deleted Deleted"]);
  expect(changesOf(events, "again")).toEqual([]);
  expect(changesOf(events, "replaced")).toEqual(["changed Recreated"]);
  expect(changesOf(events, "new")).toEqual(["created Created"]);
  const edited = await harness.record("ConfigMap", namespace, "edited");
  expect(edited?.changedWithin).toBe(999);
});

test("binary data, immutable sources and a source with too many keys", async () => {
  await using harness = await startWatcherHarness();
  const { api, namespace } = harness;
  await using _watcher = await harness.startInProcess();
  const base = configMap(namespace, "bin", {});
  const many = (v: string) =>
    Object.fromEntries(Array.from({ length: 30_000 }, (_, i) => [`k${i}`, i === 0 ? v : ""]));

  await api.create(paths.configMap(namespace), { ...base, binaryData: { blob: "AP8=" } });
  await api.patch(paths.configMap(namespace, "bin"), { binaryData: { blob: "AP4=" } });
  await waitTold(harness, "bin", "changed DataChanged");
  await api.patch(paths.configMap(namespace, "bin"), { immutable: true });
  await api.remove(paths.configMap(namespace, "bin"));
  await api.create(paths.configMap(namespace), {
    ...base,
    immutable: true,
    binaryData: { blob: "AP0=" },
  });
  await waitTold(harness, "bin", "changed Recreated");
  await api.create(paths.configMap(namespace), configMap(namespace, "many", many("1")));
  await waitTold(harness, "many", "created Created");
  await api.patch(paths.configMap(namespace, "many"), { data: { k0: "2" } });
  await waitTold(harness, "many", "changed DataChanged");

  expect(changesOf(await harness.events(), "bin")).toEqual([
    "created Created",
    "changed DataChanged",
    "deleted Deleted",
    "changed Recreated",
  ]);
  await expectConsistent(harness);
});

test("relevant annotations are kept in the record, and publish nothing", async () => {
  await using harness = await startWatcherHarness();
  const { api, namespace } = harness;
  await api.create(paths.configMap(namespace), configMap(namespace, "web", { v: "1" }));
  await using _watcher = await harness.startInProcess();

  await api.patch(paths.configMap(namespace, "web"), {
    metadata: { annotations: { "reloader.stakater.com/ignore": "true", other: "x" } },
  });
  await waitFor(async () => {
    const record = await harness.record("ConfigMap", namespace, "web");
    return record?.annotations["reloader.stakater.com/ignore"] === "true";
  });

  const record = await harness.record("ConfigMap", namespace, "web");
  expect(record?.annotations).toEqual({ "reloader.stakater.com/ignore": "true" });
  expect(await harness.events()).toEqual([]);
});

test("Helm's releases, service account tokens and leader elections are left out", async () => {
  await using harness = await startWatcherHarness();
  const { api, namespace } = harness;
  const helm = {
    ...secret(namespace, "sh.helm.release.v1.a.v1", { release: "x" }),
    type: "helm.sh/release.v1",
  };
  const token = {
    ...secret(namespace, "token", { token: "x" }),
    type: "kubernetes.io/service-account-token",
  };
  Object.assign(token.metadata, {
    annotations: { "kubernetes.io/service-account.name": "default" },
  });
  const leader = configMap(namespace, "leader", { v: "1" });
  Object.assign(leader.metadata, {
    annotations: { "control-plane.alpha.kubernetes.io/leader": "{}" },
  });
  await api
    .create(`/api/v1/namespaces/${namespace}/serviceaccounts`, {
      metadata: { name: "default" },
    })
    .catch(() => undefined);
  await using _watcher = await harness.startInProcess();
  for (const object of [helm, token]) await api.create(paths.secret(namespace), object);
  await api.create(paths.configMap(namespace), leader);
  await api.create(paths.secret(namespace), secret(namespace, "mark", { v: "1" }));
  await api.create(paths.configMap(namespace), configMap(namespace, "mark", { v: "1" }));

  await waitFor(async () => changesOf(await harness.events(), "mark").length === 2);

  expect([...(await harness.records()).values()].map(({ name }) => name)).toEqual(["mark", "mark"]);
});

test("no value is in the stream, in the bucket or in the logs", async () => {
  await using harness = await startWatcherHarness();
  const { api, namespace } = harness;
  await using _watcher = await harness.startInProcess();
  const value = "very-secret-value-4711";
  await api.create(paths.secret(namespace), secret(namespace, "db", { password: value }));
  await waitTold(harness, "db", "created Created");

  const all = JSON.stringify([[...(await harness.records())], await harness.events()]);

  expect(all).toContain("password");
  expect(all).not.toContain(value);
  expect(all).not.toContain(Buffer.from(value).toString("base64"));
});
