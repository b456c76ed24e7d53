import { ApiError, createApi } from "@rollcast/testkit/test-api";
import type { Api } from "@rollcast/testkit/test-api";
import type { ClusterAccess } from "@rollcast/testkit/write-kubeconfig";
import { configMap, paths, secret, waitRolledOut } from "@rollcast/testkit/objects";
import { deployment } from "@rollcast/testkit/deployment";
import { expect, test } from "vitest";
import { installServiceAccounts } from "./service-accounts.ts";
import type { ServiceAccounts } from "./service-accounts.ts";
import { generationOf, setSecretKey, startStack, waitSettled } from "./stack.ts";
import type { Stack } from "./stack.ts";

async function statusOf(work: Promise<unknown>): Promise<number> {
  return work.then(
    () => 200,
    (err: unknown) => (err instanceof ApiError ? err.status : 0),
  );
}

/** A Deployment that uses a Secret, and a ConfigMap beside it. */
async function deploy({ api, namespace }: Stack): Promise<void> {
  await api.create(paths.configMap(namespace), configMap(namespace, "cfg", { a: "0" }));
  await api.create(paths.secret(namespace), secret(namespace, "sec", { p: "0" }));
  const uses = [{ as: "envFrom", secret: "sec" }] as const;
  await api.create(paths.deployment(namespace), deployment(namespace, "web", { uses }));
  await waitRolledOut(api, namespace, "web");
}

async function startWith(stack: Stack, accounts: ServiceAccounts, scope: object): Promise<void> {
  for (const name of ["watcher", "restarter"] as const) {
    await stack.start(name, {
      config: { scope },
      kubeconfig: await accounts.kubeconfig(name),
    });
  }
}

async function expectRoll(stack: Stack): Promise<void> {
  await waitSettled(stack, "web");
  await setSecretKey(stack, "sec", "p", "1");
  await stack.waitEvent("succeeded", "web");
  expect(await generationOf(stack, "web")).toBe(2);
  const refused = stack.logs().filter((line) => JSON.stringify(line).includes("Forbidden"));
  expect(refused).toEqual([]);
}

async function expectSeparation(
  { url, caFile }: ClusterAccess,
  { namespace }: Stack,
  accounts: ServiceAccounts,
): Promise<void> {
  const as = async (account: "watcher" | "restarter"): Promise<Api> =>
    createApi(url, await accounts.token(account), caFile);
  await using watcher = await as("watcher");
  await using restarter = await as("restarter");
  const touch = { metadata: { labels: { touched: "yes" } } };
  expect(await statusOf(watcher.patch(paths.deployment(namespace, "web"), touch))).toBe(403);
  expect(await statusOf(watcher.patch(paths.configMap(namespace, "cfg"), touch))).toBe(403);
  for (const path of [paths.configMap(namespace, "cfg"), paths.secret(namespace, "sec")]) {
    expect(await statusOf(restarter.get(path)), path).toBe(403);
  }
}

test("with the chart's ClusterRoles the pipeline works, the watcher cannot patch and the restarter cannot read a source", async () => {
  await using stack = await startStack({ services: [], cluster: {} });
  const { cluster } = stack;
  await using accounts = await installServiceAccounts(cluster, stack.namespace);
  await deploy(stack);
  await startWith(stack, accounts, {});

  await expectRoll(stack);
  await expectSeparation(cluster, stack, accounts);
});

test("with namespaces in the scope the pipeline works with Roles alone, and sees nothing of other namespaces", async () => {
  await using stack = await startStack({ services: [] });
  const { cluster, namespace } = stack;
  const set = ["rollcast.watchGlobally=false", `rollcast.namespaces={${namespace}}`];
  await using accounts = await installServiceAccounts(cluster, namespace, set);
  expect(accounts.roles.map(({ kind }) => kind)).not.toContain("ClusterRole");
  await deploy(stack);
  await startWith(stack, accounts, { namespaces: [namespace] });

  await expectRoll(stack);
  await expectSeparation(cluster, stack, accounts);
  await using watcher = createApi(cluster.url, await accounts.token("watcher"), cluster.caFile);
  expect(await statusOf(watcher.get("/api/v1/secrets"))).toBe(403);
  expect(await statusOf(watcher.get(paths.secret("kube-system")))).toBe(403);
});
