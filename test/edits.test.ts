import { setTimeout as sleep } from "node:timers/promises";
import { configMap, paths, waitRolledOut } from "@rollcast/testkit/objects";
import { deployment } from "@rollcast/testkit/deployment";
import { expect, test } from "vitest";
import { generationOf, setKey, startStack, waitSettled } from "./stack.ts";

/** Waits for the begin of a second, so that what follows lies in one. */
async function nextSecond(): Promise<void> {
  await sleep(1_000 - (Date.now() % 1_000));
}

test("a change just after an edit by others rolls, though the restarter sees the edit after it, within one second", async () => {
  await using stack = await startStack({ faultProxy: true, services: ["watcher"] });
  const { api, namespace, proxy } = stack;
  await api.create(paths.configMap(namespace), configMap(namespace, "cfg", { a: "0" }));
  const uses = [{ as: "envFrom", configMap: "cfg" }] as const;
  await api.create(paths.deployment(namespace), deployment(namespace, "web", { uses }));
  await waitRolledOut(api, namespace, "web");
  await stack.start("restarter");
  await waitSettled(stack, "web");

  await nextSecond();
  proxy.rules([{ path: /\/deployments\?.*watch=/, fault: { do: "stall" } }]);
  const template = { metadata: { annotations: { by: "somebody" } } };
  await api.patch(paths.deployment(namespace, "web"), { spec: { template } }, "kubectl-edit");
  await setKey(stack, "cfg", "a", "1");
  await stack.waitEvent("changed", "cfg");
  await sleep(50);
  proxy.rules([]);

  await stack.waitEvent("succeeded", "web");
  await waitSettled(stack, "web");
  expect(await generationOf(stack, "web")).toBe(3);
});
