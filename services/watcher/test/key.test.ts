import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { connectKube } from "@rollcast/kube/client";
import { startFaultProxy } from "@rollcast/testkit/fault-proxy";
import { createNamespace, paths } from "@rollcast/testkit/objects";
import { useCluster } from "@rollcast/testkit/shared-cluster";
import { kubeconfigFor } from "@rollcast/testkit/write-kubeconfig";
import { expect, test } from "vitest";
import { installationKey } from "../src/model/transform.ts";
import { KEY_SECRET, ensureKeySecret, readKeyFile } from "../src/store/installation-key.ts";
import { changeObject, createObject, each } from "./churn.ts";
import { expectConsistent } from "./consistency.ts";
import { silent, startWatcherHarness } from "./harness.ts";

const cluster = useCluster();
const { api } = cluster;

const connect = () => connectKube({ logger: silent, kubeconfig: cluster.kubeconfig });

test("replicas that start together agree on the key", async () => {
  await using ns = await createNamespace(api, "key");
  await using client = await connect();

  const keys = await Promise.all(Array.from({ length: 8 }, () => ensureKeySecret(client, ns.name)));

  expect(new Set(keys.map(({ id }) => id)).size).toBe(1);
  expect(keys[0]?.secret.symmetricKeySize).toBe(32);
  const secret = await api.get<{ data: { key: string } }>(paths.secret(ns.name, KEY_SECRET));
  expect(installationKey(Buffer.from(secret.data.key, "base64")).id).toBe(keys[0]?.id);
});

test.each([
  { name: "short", data: { key: randomBytes(31).toString("base64") } },
  { name: "missing", data: { other: "eA==" } },
])("a $name key in the Secret is refused", async ({ data }) => {
  await using ns = await createNamespace(api, "key");
  await using client = await connect();
  await api.create(paths.secret(ns.name), { metadata: { name: KEY_SECRET }, data });

  await expect(ensureKeySecret(client, ns.name)).rejects.toThrow("needs at least 32");
});

test("a 409 that is not of another replica is told, and not asked for again at once", async () => {
  await using ns = await createNamespace(api, "key");
  await using proxy = await startFaultProxy(cluster);
  const kubeconfig = await kubeconfigFor(cluster, "admin", proxy.url);
  await using client = await connectKube({ logger: silent, kubeconfig });
  const message = "exceeded quota";
  proxy.rules([{ method: "POST", fault: { do: "answer", status: 409, message } }]);

  await expect(ensureKeySecret(client, ns.name)).rejects.toThrow(message);
  expect(proxy.requests.map(({ method }) => method)).toEqual(["GET", "POST", "GET"]);

  proxy.rules([]);
  await ensureKeySecret(client, ns.name);
});

test("a namespace that does not exist is named, and so is a short or missing key file", async () => {
  await using client = await connect();
  const file = join(cluster.dir, "short-key");
  await writeFile(file, "short");

  await expect(ensureKeySecret(client, "nowhere")).rejects.toThrow("namespace nowhere");
  await expect(readKeyFile(file)).rejects.toThrow("5 bytes");
  await expect(readKeyFile("/nowhere")).rejects.toThrow("/nowhere cannot be read");
});

test("a new key adopts every source again, and later changes are published", async () => {
  await using harness = await startWatcherHarness();
  const { namespace } = harness;
  await each(20, (i) => createObject(api, namespace, i));
  {
    await using _watcher = await harness.startInProcess();
  }
  const key = installationKey(randomBytes(32));

  await using _watcher = await harness.startInProcess({ key });
  await expectConsistent(harness, { key });
  expect(await harness.events()).toEqual([]);
  await changeObject(api, namespace, 1, "1");
  await expectConsistent(harness, { key });

  const records = [...(await harness.records()).values()];
  expect(new Set(records.map(({ keyId }) => keyId))).toEqual(new Set([key.id]));
  expect(await harness.events()).toHaveLength(1);
});

test("the service makes its key in its own namespace, and keeps it", async () => {
  await using harness = await startWatcherHarness();
  const run = async () => {
    await using service = await harness.start({ config: { installationKey: undefined } });
    return (await service.waitLog(({ msg }) => msg === "watching sources")).keyId;
  };

  const first = await run();

  expect(await run()).toBe(first);
  expect(first).toMatch(/^[0-9a-f]{16}$/);
});
