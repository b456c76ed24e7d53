import { configMap, paths, waitRolledOut } from "@rollcast/testkit/objects";
import { deployment } from "@rollcast/testkit/deployment";
import type { Service } from "@rollcast/testkit/services";
import { expect, test } from "vitest";
import { generationOf, setKey, startStack, waitSettled, wordsOf } from "./stack.ts";
import type { Stack } from "./stack.ts";

const SERVICES = ["watcher", "restarter", "notifier"] as const;
const names = Array.from({ length: 50 }, (_, i) => `web-${i}`);
/** A pod is replaced after so many changes; there are six. */
const EVERY = 7;

async function deploy({ api, namespace }: Stack): Promise<void> {
  for (const name of names) {
    await api.create(paths.configMap(namespace), configMap(namespace, `${name}-cfg`, { a: "0" }));
    const uses = [{ as: "envFrom", configMap: `${name}-cfg` }] as const;
    await api.create(paths.deployment(namespace), deployment(namespace, name, { uses }));
  }
  for (const name of names) await waitRolledOut(api, namespace, name);
}

test("two replicas of each service are replaced one by one during 50 changes: each rolls once, and every replica ends with 0", async () => {
  await using stack = await startStack({ services: [] });
  await deploy(stack);
  for (const name of SERVICES) {
    await stack.start(name);
    await stack.start(name);
  }
  for (const name of names) await waitSettled(stack, name);
  const old = [...stack.services];
  expect(old).toHaveLength(6);

  // As a Deployment does with maxSurge 1: the new one is ready before the old one is told to go.
  const replace = async (service: Service) => {
    await stack.start(service.name);
    return service.kill("SIGTERM");
  };
  let replacing: Promise<void> = Promise.resolve();
  const codes: (number | string)[] = [];
  for (const [i, name] of names.entries()) {
    await setKey(stack, `${name}-cfg`, "a", "1");
    const next = old[i / EVERY];
    if (next === undefined) continue;
    await replacing;
    replacing = replace(next).then((code) => void codes.push(code));
    replacing.catch(() => undefined);
  }
  await replacing;

  for (const name of names) await stack.waitEvent("succeeded", name);
  for (const name of names) await waitSettled(stack, name);
  expect(codes).toEqual([0, 0, 0, 0, 0, 0]);
  const events = await stack.events();
  for (const name of names) {
    expect(await generationOf(stack, name), name).toBe(2);
    const words = wordsOf(events, name).filter((outcome) => outcome !== "planned");
    expect(words, name).toEqual(["started", "succeeded"]);
  }
  for (const name of names) {
    await stack.receiver.waitFor(({ body }) => body.includes(`"${name}"`), 60_000);
  }
});
