import { startCluster } from "@rollcast/testkit/cluster";
import { configMap, createNamespace, paths } from "@rollcast/testkit/objects";
import { waitFor } from "@rollcast/testkit/wait";
import { expect, test } from "vitest";
import { connectTo, startCache } from "./object-cache.ts";

const configMaps = (namespace: string) => ({
  group: "",
  version: "v1",
  plural: "configmaps",
  namespace,
});

test("an API server that restarts, and a cluster that is restored from a backup, are followed", async () => {
  await using cluster = await startCluster({ controllers: false });
  const { api } = cluster;
  const namespace = (await createNamespace(api, "restart")).name;
  const write = (name: string, v: string) =>
    api.create(paths.configMap(namespace), configMap(namespace, name, { v }));
  const set = (name: string, v: string) =>
    api.patch(paths.configMap(namespace, name), { data: { v } });
  await write("a", "0");
  await write("b", "0");
  await using client = await connectTo(cluster);
  await using cache = startCache(client, configMaps(namespace));
  await cache.reflector.synced;

  // The API server itself writes while it starts, so the version to resume from is older than what
  // its cache begins with.
  await cluster.killApiServer();
  await waitFor(() => cache.reflector.fault() !== undefined);
  await cluster.startApiServer();
  await set("a", "1");
  await waitFor(() => cache.values().a === "1", { timeout: 60_000 });
  expect(cache.removed).toEqual([]);
  expect(cache.count("went-back")).toBe(0);

  const snapshot = await cluster.snapshot();
  // This one tries so rarely that it resumes its watch, where others have listed anew after their
  // third failure.
  const rarely = { backoff: { initial: 8_000, max: 8_000 } };
  await using patient = startCache(client, configMaps(namespace), rarely);
  await patient.reflector.synced;
  await set("a", "lost");
  await set("b", "lost");
  await write("c", "lost");
  await waitFor(() => cache.values().c === "lost", { timeout: 60_000 });

  await cluster.restore(snapshot);
  await waitFor(() => cache.values().c === undefined, { timeout: 60_000 });
  expect(cache.values()).toEqual({ a: "1", b: "0" });
  await set("b", "2");
  await waitFor(() => cache.values().b === "2");
  expect(cache.values()).toEqual({ a: "1", b: "2" });

  await waitFor(() => patient.values().b === "2", { timeout: 60_000 });
  expect(patient.count("went-back")).toBe(1);
  expect(patient.values()).toEqual({ a: "1", b: "2" });
});
