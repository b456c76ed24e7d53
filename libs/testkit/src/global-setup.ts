import { readFile } from "node:fs/promises";
import process from "node:process";
import type { TestProject } from "vitest/node";
import { startCluster } from "./cluster.ts";
import type { ClusterAccess } from "./write-kubeconfig.ts";
import "./shared-cluster.ts";

/**
 * Starts the one control plane that the integration tests share, or takes the one whose access
 * `ROLLCAST_TEST_CLUSTER` names (a file that `scripts/start/dev-cluster.ts` wrote), which spares a
 * developer its start.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const running = process.env.ROLLCAST_TEST_CLUSTER;
  if (running !== undefined && running !== "") {
    project.provide("cluster", JSON.parse(await readFile(running, "utf8")) as ClusterAccess);
    return async () => undefined;
  }
  const cluster = await startCluster();
  const { url, dir, kubeconfig, caFile } = cluster;
  project.provide("cluster", { url, dir, kubeconfig, caFile });
  return async () => {
    await cluster[Symbol.asyncDispose]();
  };
}
