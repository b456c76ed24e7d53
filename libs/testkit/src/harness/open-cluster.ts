import { startCluster } from "../cluster.ts";
import { startFaultProxy } from "../fault-proxy.ts";
import type { FaultProxy } from "../fault-proxy.ts";
import { createNamespace } from "../objects.ts";
import type { User } from "../users.ts";
import { kubeconfigFor } from "../write-kubeconfig.ts";
import type { ClusterHandle, HarnessOptions } from "./harness-types.ts";

type Options = Pick<
  HarnessOptions<AsyncDisposable>,
  "cluster" | "namespace" | "faultProxy" | "user"
>;

/** The harness's place in a cluster. */
export type OpenCluster = {
  readonly handle: ClusterHandle;
  readonly namespace?: string;
  readonly proxy?: FaultProxy;
  /** What services are started with. */
  readonly kubeconfig: string;
  kubeconfigFor(user: User): Promise<string>;
};

async function clusterOf(
  cluster: Options["cluster"],
  undo: AsyncDisposableStack,
): Promise<ClusterHandle | undefined> {
  if (cluster === undefined) return undefined;
  if (cluster === "shared") {
    // Only where vitest runs: benchmarks use the harness too.
    const { useCluster } = await import("../shared-cluster.ts");
    const shared = useCluster();
    undo.use(shared.api);
    return shared;
  }
  return "api" in cluster ? cluster : undo.use(await startCluster(cluster));
}

/** Opens what was asked for of a cluster; `dir` takes the kubeconfigs. */
export async function openCluster(
  options: Options,
  dir: string,
  undo: AsyncDisposableStack,
): Promise<OpenCluster | undefined> {
  const cluster = await clusterOf(options.cluster, undo);
  if (cluster === undefined) return undefined;
  const { namespace: prefix, user } = options;
  const namespace =
    prefix === undefined ? undefined : undo.use(await createNamespace(cluster.api, prefix)).name;
  const proxy = options.faultProxy === true ? undo.use(await startFaultProxy(cluster)) : undefined;
  const write = (name: User) => kubeconfigFor({ ...cluster, dir }, name, proxy?.url);
  const isPlain = proxy === undefined && user === undefined;
  const kubeconfig = isPlain ? cluster.kubeconfig : await write(user ?? "admin");
  return { handle: cluster, namespace, proxy, kubeconfig, kubeconfigFor: write };
}
