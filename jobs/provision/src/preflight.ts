import { existsSync } from "node:fs";
import { delimiter } from "node:path";
import process from "node:process";
import { readKubeconfig, unreadableReferences } from "@rollcast/kube/read-kubeconfig";
import { loadConfig } from "@rollcast/runtime/config/load";
import { ConfigError } from "@rollcast/shared/errors";
import { createLogger } from "@rollcast/runtime/logger";
import { runOnce } from "@rollcast/runtime/run";
import { containerFaults } from "./container-faults.ts";

/** Returns what `read` returns, or the faults in its error. */
function attempt<T>(read: () => T): { value: T } | { faults: string[] } {
  try {
    return { value: read() };
  } catch (err) {
    if (err instanceof ConfigError) return { faults: err.message.split("\n") };
    throw err;
  }
}

/** What to do if there is no kubeconfig at all. */
function missingCure({ KUBECONFIG: files = "" }: NodeJS.ProcessEnv): string[] {
  if (files.split(delimiter).some((file) => existsSync(file))) return [];
  return [
    "set ROLLCAST_KUBECONFIG to the path of your kubeconfig, or bring a cluster with docker compose --profile demo up",
  ];
}

/** NATS and Redis are set up for one cluster name, which compose passes in. */
function clusterFaults(config: { cluster: string }, { CLUSTER }: NodeJS.ProcessEnv): string[] {
  if (CLUSTER === undefined || CLUSTER === config.cluster) return [];
  return [
    `cluster is "${config.cluster}", and NATS and Redis are set up for "${CLUSTER}": set ROLLCAST_CLUSTER to "${config.cluster}" too`,
  ];
}

// Runs before the services start in containers: reports all faults that would keep them from
// starting and that can be found offline. It opens no connection.
const logger = createLogger("preflight");
await runOnce(logger, async () => {
  const config = attempt(() => loadConfig(process.env));
  const target = attempt(() => readKubeconfig({}, process.env));
  const faults = [
    ...("faults" in config ? config.faults : clusterFaults(config.value, process.env)),
    ...("faults" in target
      ? [...target.faults, ...missingCure(process.env)]
      : [...unreadableReferences(target.value), ...containerFaults(target.value)]),
  ];
  if (faults.length > 0 || "faults" in config || "faults" in target) {
    throw new ConfigError(faults.join("\n"));
  }
  const { context, cluster } = target.value;
  const { cluster: name, mode } = config.value;
  logger.info(
    { cluster: name, mode, context, server: cluster.server },
    "configuration and kubeconfig are usable",
  );
});
