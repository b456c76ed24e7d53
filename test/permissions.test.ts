import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { repositoryRoot } from "@rollcast/testkit/binaries";
import { ApiError, createApi } from "@rollcast/testkit/client";
import type { AnyObject, Api } from "@rollcast/testkit/client";
import { writeKubeconfig } from "@rollcast/testkit/cluster";
import { tokenOf } from "@rollcast/testkit/control-plane";
import type { User } from "@rollcast/testkit/control-plane";
import { configMap, deployment, paths, secret, waitRolledOut } from "@rollcast/testkit/objects";
import { useCluster } from "@rollcast/testkit/shared-cluster";
import { expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { generationOf, setSecretKey, startStack, waitSettled } from "./stack.ts";

const RBAC = "/apis/rbac.authorization.k8s.io/v1";

async function ignoreExisting(work: Promise<unknown>): Promise<void> {
  await work.catch((err: unknown) => {
    if (!(err instanceof ApiError) || err.status !== 409) throw err;
  });
}

/** Gives the test's users the roles of deploy/rbac.yaml, as it binds them to the service accounts. */
async function applyRoles(api: Api, namespace: string): Promise<void> {
  const text = await readFile(join(repositoryRoot(), "deploy", "rbac.yaml"), "utf8");
  const objects = parseAllDocuments(text).map((doc) => doc.toJS() as AnyObject);
  for (const object of objects) {
    const { kind } = object;
    const inside = object.metadata.namespace === undefined ? "" : `/namespaces/${namespace}`;
    if (kind === "ServiceAccount" || kind === undefined) continue;
    if (inside !== "") object.metadata.namespace = namespace;
    if (kind.endsWith("Binding")) {
      const [subject] = object.subjects as { name: string }[];
      const name = subject?.name.replace("rollcast-", "");
      object.subjects = [{ kind: "User", name, apiGroup: "rbac.authorization.k8s.io" }];
    }
    await ignoreExisting(api.create(`${RBAC}${inside}/${kind.toLowerCase()}s`, object));
  }
}

test("with the roles of deploy/rbac.yaml the pipeline works, the watcher cannot patch and the restarter cannot read a source", async () => {
  const cluster = useCluster();
  const kubeconfigFor = (user: User) =>
    writeKubeconfig(join(cluster.dir, `${user}.kubeconfig`), {
      url: cluster.url,
      caFile: cluster.caFile,
      token: tokenOf(user),
    });
  await using stack = await startStack({ services: [] });
  const { api, namespace } = stack;
  await applyRoles(api, namespace);
  await api.create(paths.configMap(namespace), configMap(namespace, "cfg", { a: "0" }));
  await api.create(paths.secret(namespace), secret(namespace, "sec", { p: "0" }));
  const uses = [{ as: "envFrom", secret: "sec" }] as const;
  await api.create(paths.deployment(namespace), deployment(namespace, "web", { uses }));
  await waitRolledOut(api, namespace, "web");
  const all = { config: { scope: { namespaces: [] } } };
  await stack.start("watcher", { ...all, kubeconfig: await kubeconfigFor("watcher") });
  await stack.start("restarter", { ...all, kubeconfig: await kubeconfigFor("restarter") });
  await waitSettled(stack, "web");

  await setSecretKey(stack, "sec", "p", "1");
  await stack.waitEvent("succeeded", "web");
  expect(await generationOf(stack, "web")).toBe(2);
  const refused = stack.logs().filter((line) => JSON.stringify(line).includes("Forbidden"));
  expect(refused).toEqual([]);

  const statusOf = (work: Promise<unknown>) =>
    work.then(
      () => 200,
      (err: unknown) => (err instanceof ApiError ? err.status : 0),
    );
  await using watcher = createApi(cluster.url, tokenOf("watcher"), cluster.caFile);
  await using restarter = createApi(cluster.url, tokenOf("restarter"), cluster.caFile);
  const touch = { metadata: { labels: { touched: "yes" } } };
  expect(await statusOf(watcher.patch(paths.deployment(namespace, "web"), touch))).toBe(403);
  expect(await statusOf(watcher.patch(paths.configMap(namespace, "cfg"), touch))).toBe(403);
  for (const path of [paths.configMap(namespace, "cfg"), paths.secret(namespace, "sec")]) {
    expect(await statusOf(restarter.get(path)), path).toBe(403);
  }
});
