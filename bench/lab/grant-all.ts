import type { Cluster } from "@rollcast/testkit/cluster";

/** Lets users of a cluster do everything. */
export async function grantAll(
  { api }: Pick<Cluster, "api">,
  users: readonly string[],
): Promise<void> {
  const group = "rbac.authorization.k8s.io";
  for (const name of users) {
    await api.create(`/apis/${group}/v1/clusterrolebindings`, {
      apiVersion: `${group}/v1`,
      kind: "ClusterRoleBinding",
      metadata: { name: `bench-${name}` },
      roleRef: { apiGroup: group, kind: "ClusterRole", name: "cluster-admin" },
      subjects: [{ apiGroup: group, kind: "User", name }],
    });
  }
}
