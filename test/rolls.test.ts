import { configMap, paths, replicaSetsOf, secret, waitRolledOut } from "@rollcast/testkit/objects";
import { deployment } from "@rollcast/testkit/deployment";
import type { Use } from "@rollcast/testkit/deployment";
import { expect, test } from "vitest";
import { generationOf, setKey, setSecretKey, startStack, waitSettled, wordsOf } from "./stack.ts";
import type { Stack } from "./stack.ts";

async function deploy(
  stack: Stack,
  name: string,
  uses: readonly Use[],
  annotations?: Record<string, string>,
) {
  const shape = { uses, annotations };
  await stack.api.create(
    paths.deployment(stack.namespace),
    deployment(stack.namespace, name, shape),
  );
}

async function rolledOut(stack: Stack, names: readonly string[]) {
  await Promise.all(names.map((name) => waitRolledOut(stack.api, stack.namespace, name)));
}

const USES: Record<string, Use> = {
  env: { as: "env", configMap: "cfg", key: "a" },
  envfrom: { as: "envFrom", configMap: "cfg" },
  volume: { as: "volume", configMap: "cfg" },
  projected: { as: "projected", configMap: "cfg" },
  init: { as: "init", configMap: "cfg" },
};

test("a ConfigMap edit makes one new ReplicaSet for each Deployment that uses it, and none for others", async () => {
  await using stack = await startStack({ services: ["watcher"] });
  const { api, namespace } = stack;
  await api.create(paths.configMap(namespace), configMap(namespace, "cfg", { a: "1", b: "1" }));
  await api.create(paths.configMap(namespace), configMap(namespace, "other", { a: "1" }));
  const users = Object.keys(USES);
  for (const [name, use] of Object.entries(USES)) await deploy(stack, name, [use]);
  await deploy(stack, "bystander", [{ as: "envFrom", configMap: "other" }]);
  await deploy(stack, "not-opted-in", [{ as: "envFrom", configMap: "cfg" }], {});
  const all = [...users, "bystander", "not-opted-in"];
  await rolledOut(stack, all);
  await stack.start("restarter");

  await setKey(stack, "cfg", "a", "2");
  for (const name of users) await stack.waitEvent("succeeded", name);
  for (const name of users) {
    expect(await replicaSetsOf(api, namespace, name), name).toHaveLength(2);
    expect(await generationOf(stack, name), name).toBe(2);
  }

  // A key that `env` does not use, and an edit of nothing but metadata.
  await setKey(stack, "cfg", "b", "2");
  await api.patch(paths.configMap(namespace, "cfg"), { metadata: { labels: { touched: "yes" } } });
  for (const name of users.slice(1)) await stack.waitEvent("succeeded", name, 2);
  expect(await generationOf(stack, "env")).toBe(2);
  for (const name of users.slice(1)) expect(await generationOf(stack, name), name).toBe(3);
  for (const name of ["bystander", "not-opted-in"]) {
    expect(await replicaSetsOf(api, namespace, name), name).toHaveLength(1);
  }
  const events = await stack.events();
  const ends = events.filter(({ type }) => type === "dev.rollcast.rollout.succeeded.v1");
  // Each rollout says how many the same change rolls: five by the first, four by the second.
  expect(ends.map(({ data }) => ("affected" in data ? data.affected : 0)).toSorted()).toEqual([
    ...Array.from({ length: 4 }, () => 4),
    ...Array.from({ length: 5 }, () => 5),
  ]);
  expect(wordsOf(events, "envfrom")).toEqual([
    "planned",
    "started",
    "succeeded",
    "planned",
    "started",
    "succeeded",
  ]);
});

test("a Secret edit rolls its users, and content going A, B, A rolls twice", async () => {
  await using stack = await startStack({ services: ["watcher"] });
  const { api, namespace } = stack;
  await api.create(paths.secret(namespace), secret(namespace, "sec", { password: "A" }));
  await deploy(stack, "web", [{ as: "env", secret: "sec", key: "password" }]);
  await rolledOut(stack, ["web"]);
  await stack.start("restarter");

  await setSecretKey(stack, "sec", "password", "B");
  await stack.waitEvent("succeeded", "web", 1);
  await setSecretKey(stack, "sec", "password", "A");
  await stack.waitEvent("succeeded", "web", 2);
  expect(await generationOf(stack, "web")).toBe(3);
});

test("a first start on existing workloads and a restart of everything roll nothing", async () => {
  await using stack = await startStack({ services: [] });
  const { api, namespace } = stack;
  await api.create(paths.configMap(namespace), configMap(namespace, "cfg", { a: "1" }));
  for (const [name, use] of Object.entries(USES)) await deploy(stack, name, [use]);
  await rolledOut(stack, Object.keys(USES));

  const first = await Promise.all([stack.start("watcher"), stack.start("restarter")]);
  for (const name of Object.keys(USES)) await waitSettled(stack, name);
  await Promise.all(first.map((service) => service.kill()));
  await Promise.all([stack.start("watcher"), stack.start("restarter")]);
  // What follows a restart has been decided when a change made after it has been rolled.
  await api.create(paths.configMap(namespace), configMap(namespace, "probe", { a: "1" }));
  await deploy(stack, "probe", [{ as: "envFrom", configMap: "probe" }]);
  await waitSettled(stack, "probe");
  await setKey(stack, "probe", "a", "2");
  await stack.waitEvent("succeeded", "probe");

  for (const name of Object.keys(USES)) {
    expect(await generationOf(stack, name), name).toBe(1);
    expect(wordsOf(await stack.events(), name), name).toEqual([]);
  }
});

test("mode observe plans, publishes and notifies, and patches nothing", async () => {
  await using stack = await startStack({
    services: ["watcher", "notifier"],
    config: { mode: "observe" },
  });
  const { api, namespace } = stack;
  await api.create(paths.configMap(namespace), configMap(namespace, "cfg", { a: "1" }));
  await deploy(stack, "web", [{ as: "envFrom", configMap: "cfg" }]);
  await rolledOut(stack, ["web"]);
  await stack.start("restarter");
  await waitSettled(stack, "web");

  await setKey(stack, "cfg", "a", "2");
  const skipped = await stack.waitEvent("skipped", "web");
  expect(skipped.data).toMatchObject({ reason: "Observe", cause: { name: "cfg" } });
  await stack.receiver.waitFor((request) => request.body.includes("rollout.skipped"));
  expect(wordsOf(await stack.events(), "web")).toEqual(["planned", "skipped"]);
  expect(await generationOf(stack, "web")).toBe(1);
});
