import { startFaultProxy } from "@rollcast/testkit/fault-proxy";
import type { Rule } from "@rollcast/testkit/fault-proxy";
import { createNamespace, configMap, paths } from "@rollcast/testkit/objects";
import { useCluster } from "@rollcast/testkit/shared-cluster";
import { waitFor } from "@rollcast/testkit/wait";
import { expect, test } from "vitest";
import { connectTo, startCache } from "./object-cache.ts";
import type { Cache } from "./object-cache.ts";

const cluster = useCluster();
const { api } = cluster;
const configMaps = (namespace: string) => ({
  group: "",
  version: "v1",
  plural: "configmaps",
  namespace,
});

async function createMany(namespace: string, count: number, prefix = "c"): Promise<void> {
  const create = (_: unknown, i: number) =>
    api.create(paths.configMap(namespace), configMap(namespace, `${prefix}${i}`, { v: "0" }));
  await Promise.all(Array.from({ length: count }, create));
}

const set = (namespace: string, name: string, v: string) =>
  api.patch(paths.configMap(namespace, name), { data: { v } });

async function truth(namespace: string): Promise<Record<string, string | undefined>> {
  type List = { items: { metadata: { name: string }; data?: { v?: string } }[] };
  const { items } = await api.get<List>(paths.configMap(namespace));
  return Object.fromEntries(items.map(({ metadata, data }) => [metadata.name, data?.v]));
}

/** Waits until the cache shows what the cluster has. */
async function expectCached(cache: Cache, namespace: string, timeout = 30_000): Promise<void> {
  const want = await truth(namespace);
  const same = () => JSON.stringify(sorted(cache.values())) === JSON.stringify(sorted(want));
  await waitFor(same, { timeout, message: "the cache to show what the cluster has" });
}

function sorted(values: Record<string, string | undefined>) {
  return Object.entries(values).sort(([a], [b]) => (a < b ? -1 : 1));
}

async function setUp(count: number, times: Parameters<typeof startCache>[2] = {}) {
  const stack = new AsyncDisposableStack();
  const { name } = stack.use(await createNamespace(api, "reflector"));
  await createMany(name, count);
  const proxy = stack.use(await startFaultProxy(cluster));
  const client = stack.use(await connectTo(cluster, proxy.url));
  const cache = stack.use(startCache(client, configMaps(name), times));
  return {
    namespace: name,
    proxy,
    client,
    cache,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

test("lists page by page, then follows", async () => {
  await using t = await setUp(50, { pageLimit: 12 });
  await t.cache.reflector.synced;
  await expectCached(t.cache, t.namespace);
  const pages = t.client.requests.filter(({ query }) => query?.limit === "12");
  expect(pages).toHaveLength(5);
  expect(t.cache.reflector.fault()).toBeUndefined();

  await set(t.namespace, "c7", "1");
  await api.remove(paths.configMap(t.namespace, "c8"));
  await createMany(t.namespace, 1, "new");
  await expectCached(t.cache, t.namespace);

  expect(t.cache.removed).toEqual(["c8"]);
  expect(t.cache.count("list")).toBe(1);
});

test("resumes from the last version when its watch ends, without relisting", async () => {
  await using t = await setUp(5, { watchSeconds: [1, 1] });
  await t.cache.reflector.synced;

  for (let i = 1; i <= 5; i++) {
    await set(t.namespace, "c1", String(i));
    const watches = t.cache.count("watch");
    await waitFor(() => t.cache.count("watch") > watches);
  }
  await expectCached(t.cache, t.namespace);

  expect(t.cache.count("list")).toBe(1);
  const resumed = t.client.requests.flatMap(({ query }) =>
    query?.watch === "1" ? [Number(query.resourceVersion)] : [],
  );
  expect(resumed.length).toBeGreaterThan(5);
  expect(resumed).toEqual(resumed.toSorted((a, b) => a - b));
  expect(new Set(resumed).size).toBeGreaterThan(4);
});

test("a bookmark is proof of life and moves the version on", async () => {
  await using t = await setUp(2, { watchSeconds: [5, 5] });
  await t.cache.reflector.synced;
  const versions = () =>
    t.client.requests.flatMap(({ query }) => (query?.watch === "1" ? [query.resourceVersion] : []));
  await waitFor(() => versions().length === 1);
  const watched = performance.now();
  await using other = await createNamespace(api, "reflector");
  await createMany(other.name, 20);

  await waitFor(() => versions().length === 2);

  // Nothing changed in the namespace: only a bookmark can have told the newer version.
  expect(Number(versions()[1])).toBeGreaterThan(Number(versions()[0]) + 10);
  expect(t.cache.count("list")).toBe(1);
  expect(t.cache.reflector.staleness()).toBeLessThanOrEqual(performance.now() - watched);
});

const faults: { name: string; rules: Rule[]; lists: number }[] = [
  {
    name: "a version that is too old, told in the stream",
    rules: [{ path: /watch=1/, times: 2, fault: { do: "expire" } }],
    lists: Number.POSITIVE_INFINITY,
  },
  {
    name: "a version that is too old, told by 410",
    rules: [{ path: /watch=1/, times: 2, fault: { do: "answer", status: 410 } }],
    lists: Number.POSITIVE_INFINITY,
  },
  {
    name: "connections that are reset",
    rules: [{ path: /watch=1/, times: 1, fault: { do: "reset" } }],
    lists: 1,
  },
  {
    name: "no JSON in the stream",
    rules: [{ path: /watch=1/, times: 1, fault: { do: "garble" } }],
    lists: 1,
  },
  {
    name: "a watch that is cut in the middle of a line",
    rules: [{ path: /watch=1/, times: 1, fault: { do: "truncate", bytes: 700 } }],
    lists: 1,
  },
  {
    name: "500",
    rules: [{ times: 1, fault: { do: "answer", status: 500 } }],
    lists: 1,
  },
  {
    name: "503 to most requests",
    rules: [
      { times: 1, fault: { do: "answer", status: 503 } },
      { share: 0.6, fault: { do: "answer", status: 503 } },
    ],
    lists: Number.POSITIVE_INFINITY,
  },
];

test.each(faults)("$name: nothing is missed", async ({ rules, lists }) => {
  await using t = await setUp(40, { pageLimit: 10 });
  await t.cache.reflector.synced;

  await waitFor(() => t.cache.count("watch") === 1);
  t.proxy.rules(rules);
  t.proxy.cut();
  await Promise.all(
    Array.from({ length: 40 }, async (_, i) => {
      if (i % 10 === 9) await api.remove(paths.configMap(t.namespace, `c${i}`));
      else await set(t.namespace, `c${i}`, "1");
    }),
  );
  await expectCached(t.cache, t.namespace);
  t.proxy.rules([]);
  await set(t.namespace, "c0", "2");
  await expectCached(t.cache, t.namespace);

  expect(t.cache.count("failure")).toBeGreaterThan(0);
  expect(t.cache.count("list")).toBeLessThanOrEqual(lists);
  expect(t.cache.removed.toSorted()).toEqual(["c19", "c29", "c39", "c9"]);
});

test("a watch that went silent is noticed, resumed, and listed anew when silent again", async () => {
  await using t = await setUp(3, { silenceMs: 400 });
  await t.cache.reflector.synced;
  t.proxy.rules([{ path: /watch=1/, fault: { do: "stall" } }]);
  await set(t.namespace, "c1", "1");

  await expectCached(t.cache, t.namespace);

  expect(t.cache.count("list")).toBeGreaterThan(1);
  t.proxy.rules([]);
  await waitFor(() => t.cache.reflector.fault() === undefined);
  await set(t.namespace, "c1", "2");
  await expectCached(t.cache, t.namespace);
});

test("Retry-After is kept to", async () => {
  await using t = await setUp(3);
  await t.cache.reflector.synced;
  t.proxy.rules([{ times: 1, fault: { do: "answer", status: 429, retryAfter: 2 } }]);
  const before = t.proxy.requests.length;
  t.proxy.cut();
  await set(t.namespace, "c1", "1");
  await waitFor(() => t.cache.reflector.fault() === "429 TooManyRequests");

  await expectCached(t.cache, t.namespace);

  const [refused, next] = t.proxy.requests.slice(before);
  expect((next?.at ?? 0) - (refused?.at ?? 0)).toBeGreaterThanOrEqual(1_990);
});

test("a list that fails in the middle is not an empty rest", async () => {
  await using t = await setUp(40, { pageLimit: 10 });
  await t.cache.reflector.synced;
  const { proxy, cache } = t;

  proxy.rules([
    { path: /watch=1/, times: 1, fault: { do: "expire" } },
    { path: /continue=/, times: 1, fault: { do: "answer", status: 500 } },
    { path: /continue=/, times: 1, fault: { do: "truncate", bytes: 900 } },
    { path: /continue=/, times: 1, fault: { do: "answer", status: 410 } },
    { path: /continue=/, times: 1, fault: { do: "reset", late: true } },
  ]);
  proxy.cut();
  // Only the expired continuation begins a new list: the other pages are asked for again.
  await waitFor(() => cache.count("list") >= 3 && cache.reflector.fault() === undefined);
  expect(cache.count("failure")).toBeGreaterThan(cache.count("list"));
  proxy.rules([
    { path: /watch=1/, times: 1, fault: { do: "expire" } },
    { path: /continue=/, times: 5, fault: { do: "answer", status: 500 } },
  ]);
  proxy.cut();
  await waitFor(() => cache.count("list") >= 5 && cache.reflector.fault() === undefined);
  await set(t.namespace, "c1", "1");
  await expectCached(cache, t.namespace);

  expect(cache.removed).toEqual([]);
});

test("large objects make the pages smaller, and a watch takes them too", async () => {
  await using t = await setUp(2, { pageBytes: 1_500_000 });
  const large = "x\n".repeat(500_000);
  for (const name of ["l1", "l2", "l3", "l4"]) {
    await api.create(paths.configMap(t.namespace), configMap(t.namespace, name, { v: large }));
  }
  await expectCached(t.cache, t.namespace);
  t.cache.reflector.relist("test");
  await waitFor(() => t.cache.count("list") >= 2);
  await waitFor(() => t.cache.reflector.fault() === undefined);
  await expectCached(t.cache, t.namespace);

  // The whole list is above the largest page (16 MiB) once there are more of them.
  await Promise.all(
    Array.from({ length: 14 }, (_, i) =>
      api.create(paths.configMap(t.namespace), configMap(t.namespace, `m${i}`, { v: large })),
    ),
  );
  await using second = startCache(t.client, configMaps(t.namespace), { pageBytes: 1_500_000 });
  await second.reflector.synced;
  await expectCached(second, t.namespace);
  const limits = t.client.requests.flatMap(({ query }) => Number(query?.limit ?? 0));
  expect(limits).toContain(1);
});

test("a slow handler slows the reading, and nothing is lost", async () => {
  await using t = await setUp(10, { silenceMs: 300 });
  await t.cache.reflector.synced;
  const gate = Promise.withResolvers<void>();
  const held: string[] = [];
  t.cache.onItem = (name) => {
    held.push(name);
    return gate.promise;
  };
  for (let i = 0; i < 10; i++) await set(t.namespace, `c${i}`, "1");
  await waitFor(() => held.length === 1);
  const watches = t.cache.count("watch");
  await waitFor(() => t.cache.reflector.staleness() > 1_000);

  // Held up by us, the watch is not silent, and nothing else was handed over meanwhile.
  expect(held).toHaveLength(1);
  expect(t.cache.count("watch")).toBe(watches);
  t.cache.onItem = undefined;
  const opened = performance.now();
  gate.resolve();
  await expectCached(t.cache, t.namespace);
  expect(t.cache.reflector.staleness()).toBeLessThanOrEqual(performance.now() - opened);
});

test("a handler that throws makes the list begin again", async () => {
  await using t = await setUp(5);
  await t.cache.reflector.synced;
  let throws = 2;
  t.cache.onItem = async () => {
    if (throws-- > 0) throw new Error("not now");
  };

  await set(t.namespace, "c1", "1");
  await expectCached(t.cache, t.namespace);

  expect(t.cache.count("list")).toBe(3);
});

test("an API server that cannot be reached is asked again until it can", async () => {
  await using t = await setUp(3);
  await t.cache.reflector.synced;
  t.proxy.rules([{ fault: { do: "reset" } }]);
  t.proxy.cut();
  await waitFor(() => t.cache.count("failure") >= 3);
  expect(t.cache.reflector.fault()).toBeDefined();
  await set(t.namespace, "c1", "1");

  t.proxy.rules([]);
  await expectCached(t.cache, t.namespace);

  expect(t.cache.reflector.fault()).toBeUndefined();
});

test("a watch that is open again is no fault, even where nothing changes", async () => {
  await using t = await setUp(3);
  await t.cache.reflector.synced;
  t.proxy.rules([{ times: 1, fault: { do: "reset" } }]);
  t.proxy.cut();
  await waitFor(() => t.cache.reflector.fault() !== undefined);

  await waitFor(() => t.cache.reflector.fault() === undefined, { timeout: 10_000 });

  await set(t.namespace, "c1", "1");
  await expectCached(t.cache, t.namespace);
});

test("disposal ends a first list that waits", async () => {
  await using ns = await createNamespace(api, "reflector");
  await using proxy = await startFaultProxy(cluster);
  await using client = await connectTo(cluster, proxy.url);
  proxy.rules([{ fault: { do: "stall" } }]);
  const cache = startCache(client, configMaps(ns.name));
  await waitFor(() => proxy.requests.length > 0);
  expect(cache.reflector.fault()).toBe("not synced");

  await cache[Symbol.asyncDispose]();

  await expect(cache.reflector.synced).rejects.toThrow("disposed");
});
