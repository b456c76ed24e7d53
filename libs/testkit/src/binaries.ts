import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";

export type ServerName =
  | "nats-server"
  | "etcd"
  | "kube-apiserver"
  | "kube-controller-manager"
  | "kube-scheduler"
  | "kwok"
  | "kubectl"
  | "helm"
  | "helm4"
  | "compose"
  | "rollouts-controller";

/** Go modules of what is not built with the servers. */
const MODULES: Readonly<Partial<Record<ServerName, string>>> = {
  kubectl: "kubectl",
  helm: "helm",
  helm4: "helm4",
  compose: "compose",
  "rollouts-controller": "argo-rollouts",
};

const ROOT = join(import.meta.dirname, "..", "..", "..");

function builtServers(name: ServerName): string {
  const configured = process.env.ROLLCAST_SERVERS_DIR;
  if (configured !== undefined && configured !== "") return configured;
  const args = [join(ROOT, "scripts", "bootstrap", "cache.mjs"), MODULES[name] ?? "servers"];
  return execFileSync(process.execPath, args, { encoding: "utf8" });
}

/**
 * Path of a real server's binary, or of a tool of the tests: built by the bootstrap, or for etcd
 * and kube-apiserver from `KUBEBUILDER_ASSETS`. Throws where there is none.
 */
export function serverBinary(name: ServerName): string {
  const dirs = [builtServers(name), process.env.KUBEBUILDER_ASSETS ?? ""].filter(
    (dir) => dir !== "",
  );
  const binary = dirs.map((dir) => join(dir, name)).find((path) => existsSync(path));
  if (binary === undefined) {
    throw new Error(`${name} is not built yet: run \`npm test\` once, which builds it`);
  }
  return binary;
}

/** The repository's root folder. */
export function repositoryRoot(): string {
  return ROOT;
}

const GROUPS = ["services", "jobs", "examples", "libs"];

/**
 * The folder of a package of the workspace, `watcher` or `cli`, relative to the root. Throws where
 * there is none.
 */
export function packageDir(name: string): string {
  const dirs = [name, ...GROUPS.map((group) => join(group, name))];
  const folder = dirs.find((dir) => existsSync(join(ROOT, dir, "package.json")));
  if (folder === undefined) throw new Error(`the workspace has no package ${name}`);
  return folder;
}
