import { startCluster } from "@rollcast/testkit/cluster";
import { startFaultProxy } from "@rollcast/testkit/fault-proxy";
import type { Rule } from "@rollcast/testkit/fault-proxy";
import { configMap, createNamespace, paths } from "@rollcast/testkit/objects";
import { waitFor } from "@rollcast/testkit/wait";
import type { Cluster } from "@rollcast/testkit/cluster";
import { afterAll, beforeAll, expect, test } from "vitest";
import { connectTo, startCache } from "./object-cache.ts";

const configMaps = (namespace: string) => ({
  group: "",
  version: "v1",
  plural: "configmaps",
  namespace,
});

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster({ controllers: false });
});
afterAll(() => cluster[Symbol.asyncDispose]());

/** What the reflector waits for in vain when the API server is killed. */
const MOMENTS: readonly { readonly at: string; readonly stalled: RegExp }[] = [
  { at: "before the list", stalled: /limit=4/ },
  { at: "in the middle of the list", stalled: /continue=/ },
  { at: "between the list and the watch", stalled: /watch=1/ },
  // It is open, and nothing of it passes any more.
  { at: "while it watches", stalled: /never/ },
];

const PAGE = { pageLimit: 4 };
const OBJECTS = Array.from({ length: 12 }, (_, i) => `c${i}`);
const STALL_WATCHES: Rule = { path: /watch=1/, fault: { do: "stall" } };
const CLOSED: Rule = { path: /./, fault: { do: "reset" } };

test("reflectors whose API server is killed before, in and after the list have what is there then", async () => {
  await using undo = new AsyncDisposableStack();
  const { api } = cluster;
  const namespace = (await createNamespace(api, "gaps")).name;
  const create = (name: string) =>
    api.create(paths.configMap(namespace), configMap(namespace, name, { v: "0" }));
  const set = (name: string, v: string) =>
    api.patch(paths.configMap(namespace, name), { data: { v } });
  const remove = (name: string) => api.remove(paths.configMap(namespace, name));
  /** One that is there, one that is not yet, one that goes. */
  const writeAll = async (round: number) => {
    await set(`c${round}`, String(round));
    await create(`new${round}`);
    await remove(`c${round + 6}`);
  };
  await Promise.all(OBJECTS.map(create));
  const reflected = await Promise.all(
    MOMENTS.map(async ({ at, stalled }) => {
      const proxy = undo.use(await startFaultProxy(cluster));
      proxy.rules([{ path: stalled, fault: { do: "stall" } }]);
      const client = undo.use(await connectTo(cluster, proxy.url));
      const cache = undo.use(startCache(client, configMaps(namespace), PAGE));
      return { at, stalled, proxy, client, cache };
    }),
  );
  for (const { client, cache, stalled, at } of reflected) {
    const isReached = () =>
      client.requests.some(({ query }) => stalled.test(new URLSearchParams(query).toString()));
    const isWatching = () => cache.count("watch") > 0 && cache.reflector.fault() === undefined;
    await waitFor(() => isReached() || isWatching(), { message: at });
  }

  for (const { proxy } of reflected) proxy.rules([STALL_WATCHES, CLOSED]);
  await writeAll(1);
  await cluster.killApiServer();
  for (const { proxy } of reflected) {
    proxy.rules([CLOSED]);
    proxy.cut();
  }
  await cluster.startApiServer();
  await writeAll(2);
  for (const { proxy } of reflected) proxy.rules([]);
  await Promise.all(reflected.map(({ cache }) => cache.reflector.synced));

  const present = Object.fromEntries(
    [...OBJECTS, "new1", "new2"]
      .filter((name) => name !== "c7" && name !== "c8")
      .map((name) => [name, name === "c1" ? "1" : name === "c2" ? "2" : "0"]),
  );
  for (const { at, cache } of reflected) {
    await waitFor(() => cache.values().new2 !== undefined && cache.values().c8 === undefined);
    expect(cache.values(), at).toEqual(present);
  }
  await writeAll(3);
  for (const { at, cache } of reflected) {
    await waitFor(() => cache.values().c9 === undefined, { message: at });
    expect(cache.values(), at).toMatchObject({ c3: "3", new3: "0" });
  }
});

test("an API server that restarts, and a cluster that is restored from a backup, are followed", async () => {
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
