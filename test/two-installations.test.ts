import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { openKv } from "@rollcast/nats/kv";
import type { AnyObject } from "@rollcast/testkit/test-api";
import { configMap, paths, waitRolledOut } from "@rollcast/testkit/objects";
import { deployment } from "@rollcast/testkit/deployment";
import type { Service } from "@rollcast/testkit/services";
import { waitFor } from "@rollcast/testkit/wait";
import { expect, test } from "vitest";
import { apiClient, apiToken, apiUrl } from "./restarter-api.ts";
import { generationOf, setKey, startStack } from "./stack.ts";
import type { Stack } from "./stack.ts";

const MARKER = "rollcast.dev/config";
const RUNS_BESIDE = "another installation rolls the workload as well";
const LEFT = /^workloads carry markers of another installation or an earlier key/;

type Installation = { cluster: string; keyId: string; watcher: Service; restarter: Service };

/** A key of its own in a file. */
async function keyFile({ dir }: Stack, name: string): Promise<string> {
  const file = join(dir, `${name}.key`);
  await writeFile(file, randomBytes(32));
  return file;
}

/** Starts an installation with records of its own, which has adopted `web`. */
async function install(
  stack: Stack,
  cluster: string,
  installationKey: { file: string; earlierIds?: string[] },
  more: object = {},
): Promise<Installation> {
  const config = { cluster, installationKey, ...more };
  const start = (name: "watcher" | "restarter") => stack.start(name, { config });
  const [watcher, restarter] = await Promise.all([start("watcher"), start("restarter")]);
  const { keyId } = await watcher.waitLog(({ msg }) => msg === "watching sources");
  const started = { cluster, keyId: String(keyId), watcher, restarter };
  await waitDone(stack, started, 0);
  return started;
}

const Record = z.object({ phase: z.string(), history: z.array(z.number()) });

/** Waits until the installation has rolled `web` so many times and has nothing left to do. */
async function waitDone(
  { connection, namespace }: Stack,
  { cluster }: Installation,
  rolled: number,
) {
  const records = await openKv(connection, "workloads", Record);
  await waitFor(
    async () => {
      const entry = await records.get(`${cluster}.deployment.${namespace}.web`);
      return entry?.value.phase === "current" && entry.value.history.length === rolled;
    },
    { message: `${rolled} rollouts of ${cluster}`, timeout: 60_000 },
  );
}

async function stop({ watcher, restarter }: Installation): Promise<void> {
  await Promise.all([watcher.kill("SIGTERM"), restarter.kill("SIGTERM")]);
}

const readyz = async (service: Service) => (await fetch(`${service.http()}/readyz`)).text();

/** Id of the key under which the marker on `web` was written. */
async function markedBy({ api, namespace }: Stack): Promise<string> {
  const { spec } = await api.get<AnyObject>(paths.deployment(namespace, "web"));
  const { template } = spec as {
    template: { metadata: { annotations: { [MARKER]: string } } };
  };
  const { "ConfigMap/cfg": digest } = JSON.parse(template.metadata.annotations[MARKER]) as {
    "ConfigMap/cfg": string;
  };
  return digest.slice(0, digest.indexOf("."));
}

async function deployWeb({ api, namespace }: Stack): Promise<void> {
  await api.create(paths.configMap(namespace), configMap(namespace, "cfg", { a: "0" }));
  const uses = [{ as: "envFrom", configMap: "cfg" }] as const;
  await api.create(paths.deployment(namespace), deployment(namespace, "web", { uses }));
  await waitRolledOut(api, namespace, "web");
}

test("two installations that see one workload roll each change once each, and both report it; with an earlier key nothing is reported, and with a lost one how to adopt it", async () => {
  await using stack = await startStack({ services: [] });
  const { api, namespace } = stack;
  await deployWeb(stack);
  const access = await apiToken(stack);
  const [firstKey, secondKey, newKey] = (await Promise.all(
    ["first", "second", "new"].map((name) => keyFile(stack, name)),
  )) as [string, string, string];
  const [first, second] = await Promise.all([
    install(stack, "first", { file: firstKey }, { restarter: { api: access.config } }),
    install(stack, "second", { file: secondKey }),
  ]);

  for (const change of [1, 2]) {
    await setKey(stack, "cfg", "a", String(change));
    await Promise.all([waitDone(stack, first, change), waitDone(stack, second, change)]);
    await waitRolledOut(api, namespace, "web");
  }
  expect(await generationOf(stack, "web")).toBe(5);
  const call = apiClient(await apiUrl(first.restarter), access.token);
  for (const [own, other] of [
    [first, second],
    [second, first],
  ] as const) {
    const lines = own.restarter.logs.filter(({ msg }) => msg === RUNS_BESIDE);
    expect(lines).toMatchObject([
      { level: "warn", workload: { name: "web" }, keyId: other.keyId, ownKeyId: own.keyId },
    ]);
    expect(await readyz(own.restarter)).toContain(`key ${other.keyId}, ours ${own.keyId}`);
  }
  const detail = await call<object>("GET", `/v1/workloads/Deployment/${namespace}/web`);
  const named = { keyId: second.keyId, ownKeyId: first.keyId };
  expect(detail).toMatchObject({ otherInstallation: named });
  expect(await call<object>("GET", "/v1/status")).toMatchObject({
    otherInstallations: [{ ...named, workloads: 1, first: { namespace, name: "web" } }],
  });
  const events = await waitFor(
    async () => {
      const path = `/apis/events.k8s.io/v1/namespaces/${namespace}/events`;
      const { items } = await api.get<{ items: (AnyObject & { reason: string; note: string })[] }>(
        path,
      );
      const notes = items.filter(({ reason }) => reason === "OtherInstallation");
      return notes.length === 2 ? notes : undefined;
    },
    { message: "an Event of each installation" },
  );
  for (const { note } of events) {
    for (const { keyId } of [first, second]) expect(note).toContain(keyId);
  }

  await Promise.all([stop(first), stop(second)]);
  const marked = await markedBy(stack);
  const sameKey = marked === first.keyId ? firstKey : secondKey;
  const [same, again] = await Promise.all([
    install(stack, "same-key", { file: sameKey }),
    install(stack, "new-key", { file: newKey }),
  ]);
  expect(await readyz(same.restarter)).not.toContain("another installation");
  expect(same.restarter.logs.filter(({ level }) => level === "warn")).toEqual([]);
  const left = await again.restarter.waitLog(({ msg }) => LEFT.test(msg));
  expect(left).toMatchObject({ keyId: marked, ownKeyId: again.keyId, workloads: 1 });
  expect(left.ifEarlierKey).toBe(`installationKey: { earlierIds: ["${marked}"] }`);
  expect(again.restarter.logs.filter(({ level }) => level === "warn")).toHaveLength(1);
  expect(await readyz(again.restarter)).toContain(`key ${marked}`);
  await again.watcher.kill("SIGTERM");
  const installationKey = { file: newKey, earlierIds: [marked] };
  await stack.start("watcher", { config: { cluster: "new-key", installationKey } });
  await waitFor(async () => !(await readyz(again.restarter)).includes("another installation"), {
    message: "the earlier key to be adopted",
  });
  expect(await generationOf(stack, "web")).toBe(5);
});
