import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { repositoryRoot } from "@rollcast/testkit/binaries";
import type { AnyObject, Api } from "@rollcast/testkit/test-api";
import { startCluster } from "@rollcast/testkit/cluster";
import { paths } from "@rollcast/testkit/objects";
import { expect, test } from "vitest";
import { bindVolumes } from "./apply.ts";
import { adopted, change, demo, ready, rolls, runInstallation } from "./installation.ts";
import type { Node } from "./kubelet.ts";
import { helmRelease } from "./release.ts";
import { temporaryDir } from "./temporary.ts";

const NAMESPACE = "rollcast";
const PLURAL: Readonly<Record<string, string>> = {
  secret: "secrets",
  pvc: "persistentvolumeclaims",
  deployment: "deployments",
};

type Resources = { resources: { name: string; verbs: string[] }[] };
type Groups = { groups: { versions: { groupVersion: string }[] }[] };

/** What comes and goes by itself, or stands for the demo and for the storage provisioner. */
const OTHERS = /^(events|leases|pods|replicasets|endpoints|endpointslices|persistentvolumes) /;

/**
 * Every object of the cluster that is not being deleted (who lets claims go does not run here):
 * `secrets rollcast/rollcast-credentials`.
 */
async function everything(api: Api): Promise<Set<string>> {
  const { groups } = await api.get<Groups>("/apis");
  const versions = groups.map(({ versions: [newest] }) => `/apis/${newest?.groupVersion}`);
  const objects = new Set<string>();
  for (const root of ["/api/v1", ...versions]) {
    const { resources } = await api.get<Resources>(root);
    for (const { name, verbs } of resources) {
      if (!verbs.includes("list")) continue;
      const { items } = await api.get<{ items: AnyObject[] }>(`${root}/${name}`);
      for (const { metadata } of items) {
        if (metadata.deletionTimestamp !== undefined) continue;
        objects.add(`${name} ${[metadata.namespace, metadata.name].filter(Boolean).join("/")}`);
      }
    }
  }
  return objects;
}

/** The commands of kubectl under "Uninstall" in docs/operate.md. */
async function documented(): Promise<string[]> {
  const text = await readFile(join(repositoryRoot(), "docs", "operate.md"), "utf8");
  const part = /^## Uninstall$(.*?)^## /ms.exec(text)?.[1] ?? "";
  return [...part.matchAll(/^\$ (kubectl .*)$/gm)].map(([, command = ""]) => command);
}

/** Does what a command of kubectl does, of the kinds that the page has. */
async function kubectl(api: Api, command: string): Promise<void> {
  const patch = /^kubectl -n (\S+) patch deployment (\S+) --type json -p '(.*)'$/.exec(command);
  if (patch !== null) {
    const [, namespace = "", name = "", text = ""] = patch;
    const path = paths.deployment(namespace, name);
    const contentType = "application/json-patch+json";
    await api.call({ method: "PATCH", path, body: JSON.parse(text) as unknown, contentType });
    return;
  }
  if (command.startsWith("kubectl delete namespace ")) {
    await api.remove(`/api/v1/namespaces/${command.split(" ")[3]}`);
    return;
  }
  const [, namespace, kind = "", rest = ""] =
    /^kubectl -n (\S+) delete (\S+) (.+)$/.exec(command) ?? [];
  const path = `/api/v1/namespaces/${namespace}/${PLURAL[kind]}`;
  if (rest.startsWith("-l ")) {
    await api.remove(`${path}?labelSelector=${encodeURIComponent(rest.slice(3))}`);
  } else {
    for (const name of rest.split(" ")) await api.remove(`${path}/${name}`);
  }
}

async function marks(api: Api): Promise<string[]> {
  const { spec } = await api.get<AnyObject>(paths.deployment("demo", "web"));
  const { template } = spec as { template: { metadata: { annotations?: object } } };
  return Object.keys(template.metadata.annotations ?? {});
}

test("`helm uninstall` leaves what the documentation names, with which a new installation goes on; after the documented commands nothing is left", async () => {
  await using undo = new AsyncDisposableStack();
  const cluster = undo.use(await startCluster());
  const { api, url, caFile } = cluster;
  const { dir } = undo.use(await temporaryDir("uninstall"));
  await api.create("/api/v1/namespaces", { metadata: { name: "demo" } });
  await demo(api, "demo");
  const before = await everything(api);
  const since = async () =>
    [...(await everything(api))]
      .filter((object) => !before.has(object) && !OTHERS.test(object))
      .toSorted();
  const release = helmRelease(cluster, NAMESPACE);
  const run = async (work: () => Promise<void>) => {
    const node: Node = { api, url, caFile, namespace: NAMESPACE, dir, hosts: new Map() };
    await using installation = await runInstallation(node, await release.objects());
    for (const service of installation.services) await ready(service);
    await adopted(node);
    await work();
    await adopted(node);
  };

  const notes = await release.install();
  await bindVolumes(api, NAMESPACE);
  await run(async () => {
    await change(api, "demo", "1");
    await rolls(api, "demo", 2);
  });
  expect((await since()).length).toBeGreaterThan(30);
  await release.uninstall();
  await expect
    .poll(since, { timeout: 60_000 })
    .toEqual([
      `namespaces ${NAMESPACE}`,
      `persistentvolumeclaims ${NAMESPACE}/data-rollcast-nats-0`,
      `persistentvolumeclaims ${NAMESPACE}/data-rollcast-redis-0`,
      `secrets ${NAMESPACE}/rollcast-credentials`,
      `secrets ${NAMESPACE}/rollcast-installation-key`,
    ]);

  await change(api, "demo", "2");
  await release.install();
  await run(() => rolls(api, "demo", 3));
  await release.uninstall();

  const commands = (await documented()).filter((command) => !command.startsWith("kubectl get "));
  expect(commands).toHaveLength(4);
  for (const command of commands.slice(0, 2)) expect(notes).toContain(command);
  expect(await marks(api)).toEqual(["rollcast.dev/config"]);
  for (const command of commands) await kubectl(api, command);
  await expect.poll(since, { timeout: 60_000 }).toEqual([]);
  expect(await marks(api)).toEqual([]);
});
