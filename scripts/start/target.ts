import { createHash } from "node:crypto";
import { copyFile, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import process from "node:process";
import { connectKube } from "@rollcast/kube/client";
import type { KubeClient } from "@rollcast/kube/client";
import type { Logger } from "@rollcast/runtime/logger";
import { startCluster } from "@rollcast/testkit/cluster";
import type { Options } from "./options.ts";

/** The cluster to work on. Disposal ends what was started for it. */
export type Target = AsyncDisposable & {
  /** A DNS label: the cluster's token in every subject. */
  readonly name: string;
  readonly client: KubeClient;
  /** Environment in which the services reach it. */
  readonly env: Readonly<Record<string, string>>;
  /** Arguments with which kubectl reaches it. */
  readonly kubectlArgs: readonly string[];
};

/** A DNS label for a cluster, the same each time. */
export function clusterName(cluster: { context?: string; kubeconfig?: string }): string {
  const source = cluster.context ?? cluster.kubeconfig ?? "";
  const readable = source
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .slice(-40)
    .replaceAll(/^-+|-+$/g, "");
  const id = createHash("sha256").update(JSON.stringify(cluster)).digest("hex").slice(0, 6);
  return `${readable === "" ? "cluster" : readable}-${id}`;
}

/** Starts a local control plane. */
export async function openLocal(root: string, dir: string, logger: Logger): Promise<Target> {
  await using undo = new AsyncDisposableStack();
  const cluster = undo.use(await startCluster({ dir: join(dir, "cluster") }));
  const { kubeconfig } = cluster;
  const client = undo.use(await connectKube({ logger, kubeconfig }));
  // The same path in every run, for people to use.
  const sharedKubeconfig = join(root, ".rollcast", "kubeconfig");
  await copyFile(kubeconfig, sharedKubeconfig);
  undo.defer(async () => {
    const text = await readFile(sharedKubeconfig, "utf8").catch(() => "");
    // Another run may have replaced it.
    if (text.includes(cluster.url)) await rm(sharedKubeconfig, { force: true });
  });
  const kept = undo.move();
  return {
    name: "local",
    client,
    env: { KUBECONFIG: kubeconfig },
    kubectlArgs: ["--kubeconfig", sharedKubeconfig],
    [Symbol.asyncDispose]: () => kept[Symbol.asyncDispose](),
  };
}

/** Connects to the user's own cluster with the user's credentials. */
export async function openOwn(
  dir: string,
  cluster: NonNullable<Options["cluster"]>,
  logger: Logger,
): Promise<Target> {
  await mkdir(dir, { recursive: true });
  const files = cluster.kubeconfig ?? process.env.KUBECONFIG ?? join(homedir(), ".kube", "config");
  const override = join(dir, "context.kubeconfig");
  const chosen = cluster.context === undefined ? {} : { "current-context": cluster.context };
  await writeFile(override, JSON.stringify({ apiVersion: "v1", kind: "Config", ...chosen }));
  const client = await connectKube({ logger, ...cluster });
  const flags = [
    cluster.kubeconfig === undefined ? [] : ["--kubeconfig", cluster.kubeconfig],
    cluster.context === undefined ? [] : ["--context", cluster.context],
  ].flat();
  return {
    name: clusterName(cluster),
    client,
    env: {
      ...ownEnv(),
      // The library lets the last file choose the context.
      KUBECONFIG: cluster.context === undefined ? files : [files, override].join(delimiter),
    },
    kubectlArgs: flags,
    [Symbol.asyncDispose]: () => client[Symbol.asyncDispose](),
  };
}

/** Credential plugins read the user's environment. */
function ownEnv(): Record<string, string> {
  const entries = Object.entries(process.env).filter(([name]) => !name.startsWith("ROLLCAST_"));
  return Object.fromEntries(entries) as Record<string, string>;
}
