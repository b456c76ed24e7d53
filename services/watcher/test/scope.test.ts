import { createNamespace, configMap, paths, secret } from "@rollcast/testkit/objects";
import { useCluster } from "@rollcast/testkit/shared-cluster";
import { waitFor } from "@rollcast/testkit/wait";
import { expect, test } from "vitest";
import { startWatcherHarness, changesOf } from "./harness.ts";
import type { WatcherHarness } from "./harness.ts";

const { api } = useCluster();

const put = (namespace: string, name: string, labels: Record<string, string> = {}) => {
  const object = configMap(namespace, name, { v: "1" });
  Object.assign(object.metadata, { labels });
  return api.create(paths.configMap(namespace), object);
};
const set = (namespace: string, name: string, v: string) =>
  api.patch(paths.configMap(namespace, name), { data: { v } });
const label = (namespace: string, labels: Record<string, string | null>) =>
  api.patch(`/api/v1/namespaces/${namespace}`, { metadata: { labels } });

async function setUp(count: number) {
  const stack = new AsyncDisposableStack();
  const harness = stack.use(await startWatcherHarness());
  const names = [harness.namespace];
  while (names.length < count) names.push(stack.use(await createNamespace(api, "scope")).name);
  const [a = "", b = "", c = ""] = names;
  return { harness, a, b, c, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

/** Names of the sources that have a record, tombstones not counted. */
async function recorded(harness: WatcherHarness, namespaces: readonly string[]): Promise<string[]> {
  const records = [...(await harness.records()).values()];
  return records
    .filter(({ namespace, deletedAt }) => namespaces.includes(namespace) && deletedAt === undefined)
    .map(({ name }) => name)
    .sort();
}

const waitChanged = (harness: WatcherHarness, name: string, times: number) =>
  waitFor(
    async () => {
      const changes = changesOf(await harness.events(), name).filter(
        (change) => change === "changed DataChanged",
      );
      return changes.length === times;
    },
    { message: `${name} to be published as changed ${times} times` },
  );

test("a list of namespaces needs no permission beyond them", async () => {
  await using t = await setUp(2);
  const { harness, a, b } = t;
  const role = {
    metadata: { name: "watcher" },
    rules: [{ apiGroups: [""], resources: ["configmaps", "secrets"], verbs: ["list", "watch"] }],
  };
  await api.create(`/apis/rbac.authorization.k8s.io/v1/namespaces/${a}/roles`, role);
  await api.create(`/apis/rbac.authorization.k8s.io/v1/namespaces/${a}/rolebindings`, {
    metadata: { name: "watcher" },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "watcher" },
    subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: "watcher" }],
  });
  await put(a, "mine");
  await put(b, "theirs");

  await using _watcher = await harness.startInProcess({ user: "watcher" });
  await set(b, "theirs", "2");
  await set(a, "mine", "2");
  await waitChanged(harness, "mine", 1);

  expect(await recorded(harness, [a, b])).toEqual(["mine"]);
  expect(await harness.events()).toHaveLength(1);
});

test("a namespace that may not be read is a fault, not an empty one", async () => {
  await using t = await setUp(1);
  await using watcher = await t.harness.startInProcess({ user: "alice", wait: false });

  const fault = await waitFor(() => watcher.ready()?.match(/403 Forbidden/)?.[0]);
  expect(fault).toBe("403 Forbidden");
});

test("ignored namespaces and kinds are not watched", async () => {
  await using t = await setUp(2);
  const { harness, a, b } = t;
  await put(a, "observed");
  await put(b, "ignored");
  await api.create(paths.secret(a), secret(a, "secret", { v: "1" }));

  await using _watcher = await harness.startInProcess({
    scope: { ignoreNamespaces: [b], ignoreKinds: ["Secret"] },
  });
  await set(b, "ignored", "2");
  await set(a, "observed", "2");
  await waitChanged(harness, "observed", 1);

  expect(await recorded(harness, [a, b])).toEqual(["observed"]);
});

test("only resources with the labels, and one that loses them is not taken for deleted", async () => {
  await using t = await setUp(1);
  const { harness, a } = t;
  const yes = { reload: "yes" };
  await put(a, "selected", yes);
  await put(a, "relabelled", yes);
  await put(a, "other");
  await put(a, "late");
  const scope = { namespaces: [a], resourceSelector: "reload=yes" };
  await using watcher = await harness.startInProcess({ scope });
  expect(await recorded(harness, [a])).toEqual(["relabelled", "selected"]);

  const relabel = (name: string, reload: string | null) =>
    api.patch(paths.configMap(a, name), { metadata: { labels: { reload } } });
  await relabel("relabelled", null);
  await relabel("late", "yes");
  await set(a, "other", "2");
  await waitFor(async () => {
    const names = await recorded(harness, [a]);
    return names.join() === "late,selected";
  });
  await set(a, "late", "2");
  await waitChanged(harness, "late", 1);
  await api.remove(paths.configMap(a, "selected"));
  await waitFor(async () =>
    changesOf(await harness.events(), "selected").includes("deleted Deleted"),
  );

  const events = await harness.events();
  expect(changesOf(events, "relabelled")).toEqual([]);
  expect(changesOf(events, "other")).toEqual([]);
  await watcher[Symbol.asyncDispose]();
  await relabel("late", null);
  await using _again = await harness.startInProcess({ scope });
  expect(await recorded(harness, [a])).toEqual([]);
  expect(changesOf(await harness.events(), "late")).not.toContain("deleted Deleted");
});

test("namespaces come and go by their labels, without a restart and without missing a change", async () => {
  await using t = await setUp(3);
  const { harness, a, b, c } = t;
  const team = `t-${a}`;
  await label(a, { [team]: "x" });
  for (const namespace of [a, b, c]) {
    for (let i = 0; i < 20; i++) await put(namespace, `${namespace}-${i}`);
  }
  await using _watcher = await harness.startInProcess({
    scope: { namespaceSelector: `${team}=x`, ignoreNamespaces: [c] },
  });
  expect(await recorded(harness, [a, b, c])).toHaveLength(20);

  // While `b` enters the scope, its sources keep changing: once recorded, every change is
  // published.
  const rounds = 15;
  const churn = async () => {
    for (let round = 2; round < rounds; round++) {
      await Promise.all(Array.from({ length: 20 }, (_, i) => set(b, `${b}-${i}`, String(round))));
    }
  };
  await Promise.all([churn(), label(b, { [team]: "x" }), label(c, { [team]: "x" })]);
  await waitFor(async () => (await recorded(harness, [b])).length === 20);
  await Promise.all(Array.from({ length: 20 }, (_, i) => set(b, `${b}-${i}`, "last")));
  await waitFor(async () => {
    const events = await harness.events();
    return Array.from({ length: 20 }, (_, i) => changesOf(events, `${b}-${i}`)).every(
      (changes) => changes.at(-1) === "changed DataChanged",
    );
  });
  await label(a, { [team]: null });
  await waitFor(async () => (await recorded(harness, [a])).length === 0);
  await set(a, `${a}-0`, "unseen");
  await label(a, { [team]: "x" });
  await waitFor(async () => (await recorded(harness, [a])).length === 20);
  await set(a, `${a}-0`, "observed");
  await waitChanged(harness, `${a}-0`, 1);
  expect(await recorded(harness, [c])).toEqual([]);

  // In a namespace that is created with the label, everything is new.
  await using fresh = await createNamespace(api, "scope");
  await label(fresh.name, { [team]: "x" });
  await put(fresh.name, "new");
  await waitFor(async () => changesOf(await harness.events(), "new").includes("created Created"));
});

test("a namespace that left the scope while no watcher ran is forgotten, and is adopted when it comes back", async () => {
  await using t = await setUp(2);
  const { harness, a, b } = t;
  await put(a, "one");
  await put(b, "two");
  const both = { namespaces: [a, b] };
  {
    await using _watcher = await harness.startInProcess({ scope: both });
  }
  {
    await using _watcher = await harness.startInProcess();
    expect(await recorded(harness, [a, b])).toEqual(["one"]);
  }
  await set(b, "two", "2");
  await set(a, "one", "2");

  await using _watcher = await harness.startInProcess({ scope: both });

  await waitChanged(harness, "one", 1);
  expect(await recorded(harness, [a, b])).toEqual(["one", "two"]);
  expect(await harness.events()).toHaveLength(1);
});
