import { join } from "node:path";
import { serverBinary } from "./binaries.ts";
import { startProcess } from "./process.ts";
import type { Running } from "./process.ts";

/** A node with this label is dead: nobody renews its lease, and its pods neither start nor end. */
export const DEAD = "test.rollcast.dev/dead";

/** Flags of a kwok that plays the nodes and pods as `stages.yaml` in `dir` says. */
export function kwokFlags(dir: string, kubeconfig: string, nodesDie = false): string[] {
  const nodes = nodesDie
    ? [
        "--manage-all-nodes=false",
        `--manage-nodes-with-label-selector=!${DEAD}`,
        "--node-lease-duration-seconds=4",
      ]
    : ["--manage-all-nodes=true", "--node-lease-duration-seconds=0"];
  return [
    `--kubeconfig=${kubeconfig}`,
    ...nodes,
    `--config=${join(dir, "stages.yaml")}`,
    "--server-address=127.0.0.1:0",
  ];
}

export async function startKwok(
  dir: string,
  kubeconfig: string,
  nodesDie = false,
): Promise<Running> {
  return startProcess(serverBinary("kwok"), kwokFlags(dir, kubeconfig, nodesDie));
}

/** Pods with this annotation never get ready: a rollout to them cannot finish. */
export const NEVER_READY = "test.rollcast.dev/never-ready";

/** A Job's pods with this annotation fail instead of succeeding. */
export const FAILS = "test.rollcast.dev/fails";
