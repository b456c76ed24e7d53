import { configMap, paths, secret, waitRolledOut } from "@rollcast/testkit/objects";
import { deployment } from "@rollcast/testkit/deployment";
import { expect, test } from "vitest";
import { generationOf, setKey, setSecretKey, startStack, waitSettled, wordsOf } from "./stack.ts";
import type { Stack } from "./stack.ts";

async function prepare(stack: Stack): Promise<void> {
  const { api, namespace } = stack;
  await api.create(paths.configMap(namespace), configMap(namespace, "cfg", { a: "0" }));
  await api.create(paths.secret(namespace), secret(namespace, "sec", { p: "0" }));
  const uses = [
    { as: "envFrom", configMap: "cfg" },
    { as: "volume", secret: "sec" },
  ] as const;
  await api.create(paths.deployment(namespace), deployment(namespace, "web", { uses }));
  await waitRolledOut(api, namespace, "web");
}

test("a change made while the watcher is down is rolled when it is back, once", async () => {
  await using stack = await startStack({ services: ["watcher"] });
  await prepare(stack);
  await stack.start("restarter");
  await waitSettled(stack, "web");

  await stack.services[0]?.kill("SIGKILL");
  await setKey(stack, "cfg", "a", "1");
  await setSecretKey(stack, "sec", "p", "1");
  await stack.start("watcher");
  await stack.waitEvent("succeeded", "web");
  await waitSettled(stack, "web");
  expect(await generationOf(stack, "web")).toBe(2);
});

test("a change made while the restarter is down is rolled when it is back, once", async () => {
  await using stack = await startStack({ services: ["watcher"] });
  await prepare(stack);
  const restarter = await stack.start("restarter");
  await waitSettled(stack, "web");

  await restarter.kill("SIGKILL");
  await setKey(stack, "cfg", "a", "1");
  await setKey(stack, "cfg", "a", "2");
  await stack.waitEvent("changed", "cfg", 2);
  await Promise.all([stack.start("restarter"), stack.start("restarter")]);
  await stack.waitEvent("succeeded", "web");
  await waitSettled(stack, "web");
  expect(await generationOf(stack, "web")).toBe(2);
});

test("a change made while Redis is down, and while NATS is down, is rolled when they are back, once", async () => {
  await using stack = await startStack({ services: ["watcher"] });
  await prepare(stack);
  await stack.start("restarter");
  await waitSettled(stack, "web");

  await stack.redis.kill();
  await setKey(stack, "cfg", "a", "1");
  await stack.waitEvent("changed", "cfg");
  await stack.redis.restart({ empty: true });
  await stack.waitEvent("succeeded", "web");
  expect(await generationOf(stack, "web")).toBe(2);

  await stack.nats.kill();
  await setKey(stack, "cfg", "a", "2");
  await setSecretKey(stack, "sec", "p", "2");
  await stack.nats.restart();
  await stack.waitEvent("succeeded", "web", 2);
  await waitSettled(stack, "web");
  expect(await generationOf(stack, "web")).toBe(3);
  const words = wordsOf(await stack.events(), "web");
  expect(words.filter((outcome) => outcome === "started")).toHaveLength(2);
});

test("SIGTERM in the middle of work: exit code 0, and the work is done by the next", async () => {
  await using stack = await startStack({ services: ["watcher"] });
  await prepare(stack);
  const restarter = await stack.start("restarter");
  await waitSettled(stack, "web");
  const [watcher] = stack.services;

  await setKey(stack, "cfg", "a", "1");
  await stack.waitEvent("planned", "web");
  expect(await restarter.kill("SIGTERM")).toBe(0);
  expect(await watcher?.kill("SIGTERM")).toBe(0);
  await stack.start("restarter");
  await stack.waitEvent("succeeded", "web");
  expect(await generationOf(stack, "web")).toBe(2);
});
