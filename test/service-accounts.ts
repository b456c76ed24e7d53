import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ApiError } from "@rollcast/testkit/test-api";
import type { AnyObject, Api } from "@rollcast/testkit/test-api";
import { writeKubeconfig } from "@rollcast/testkit/write-kubeconfig";
import { objectsIn, renderChart } from "@rollcast/testkit/helm";
import { temporaryDir } from "./temporary.ts";

export const ACCOUNTS = ["watcher", "restarter"] as const;
export type Account = (typeof ACCOUNTS)[number];

/** What the chart gives the services to be, with the roles of each. */
export type ServiceAccounts = AsyncDisposable & {
  /** Name of a service account as the API server knows its user. */
  user(account: Account): string;
  token(account: Account): Promise<string>;
  /** Path of a kubeconfig with the service account's token. */
  kubeconfig(account: Account): Promise<string>;
  /** The roles as the chart renders them. */
  readonly roles: readonly AnyObject[];
};

const RBAC = /^(ServiceAccount|Role|RoleBinding|ClusterRole|ClusterRoleBinding)$/;

function collection(object: AnyObject): string {
  const root = object.apiVersion === "v1" ? "/api/v1" : `/apis/${object.apiVersion}`;
  const inside =
    object.metadata.namespace === undefined ? "" : `/namespaces/${object.metadata.namespace}`;
  return `${root}${inside}/${(object.kind ?? "").toLowerCase()}s`;
}

/**
 * Makes the service accounts and roles of the chart in `namespace`, under a release of its own
 * name.
 */
export async function installServiceAccounts(
  cluster: { url: string; caFile: string; api: Api },
  namespace: string,
  set: readonly string[] = [],
): Promise<ServiceAccounts> {
  await using undo = new AsyncDisposableStack();
  const { api } = cluster;
  const release = `rollcast-${namespace}`;
  const { dir } = undo.use(await temporaryDir("accounts"));
  const objects = objectsIn(await renderChart({ release, namespace, set })).filter(
    ({ kind, metadata }) => RBAC.test(kind ?? "") && !metadata.name.endsWith("-keys"),
  );
  for (const object of objects) {
    const path = collection(object);
    await api.create(path, object);
    undo.defer(() =>
      api.remove(`${path}/${object.metadata.name}`).catch((err: unknown) => {
        if (!(err instanceof ApiError)) throw err;
      }),
    );
  }
  const token = async (account: Account) => {
    const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${release}-${account}/token`;
    const body = { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: {} };
    const made = await api.create(path, body as unknown as AnyObject);
    return (made.status as { token: string }).token;
  };
  const kept = undo.move();
  return {
    roles: objects.filter(({ kind }) => kind === "Role" || kind === "ClusterRole"),
    user: (account) => `system:serviceaccount:${namespace}:${release}-${account}`,
    token,
    async kubeconfig(account) {
      const { url, caFile } = cluster;
      const file = join(dir, `${account}.kubeconfig`);
      await writeFile(file, "");
      return writeKubeconfig(file, { url, caFile, token: await token(account) });
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}
