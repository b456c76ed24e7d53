import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { startCluster } from "@rollcast/testkit/cluster";
import type { Cluster } from "@rollcast/testkit/cluster";
import { tokenOf } from "@rollcast/testkit/users";

const run = promisify(execFile);

/**
 * The address of this machine in the engine's default network: containers of every network reach
 * it. An engine that has just been set up on a bridge of its own names the subnet alone: then it is
 * the subnet's first address, which the engine gave the bridge.
 */
export async function bridgeAddress(): Promise<string> {
  const format = "{{with index .IPAM.Config 0}}{{.Subnet}} {{.Gateway}}{{end}}";
  const args = ["network", "inspect", "bridge", "--format", format];
  const { stdout } = await run("docker", args);
  const [subnet = "", gateway = ""] = stdout.trim().split(" ");
  return gateway === "" ? subnet.replace(/\.0\/\d+$/, ".1") : gateway;
}

/**
 * A control plane that containers reach, with a kubeconfig that holds all it refers to, at its
 * usual mode 0600.
 */
export type BridgedCluster = Cluster & { readonly flattened: string };

export async function startBridgedCluster(): Promise<BridgedCluster> {
  const cluster = await startCluster({ address: await bridgeAddress() });
  const flattened = join(cluster.dir, "flattened.kubeconfig");
  const ca = (await readFile(cluster.caFile)).toString("base64");
  const config = {
    apiVersion: "v1",
    kind: "Config",
    clusters: [
      { name: "rollcast", cluster: { server: cluster.url, "certificate-authority-data": ca } },
    ],
    users: [{ name: "user", user: { token: tokenOf("admin") } }],
    contexts: [{ name: "rollcast", context: { cluster: "rollcast", user: "user" } }],
    "current-context": "rollcast",
  };
  await writeFile(flattened, JSON.stringify(config), { mode: 0o600 });
  return Object.assign(cluster, { flattened });
}
