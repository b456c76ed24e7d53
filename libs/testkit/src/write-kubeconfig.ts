import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { tokenOf } from "./users.ts";
import type { User } from "./users.ts";

/** What another process needs to reach a cluster. */
export type ClusterAccess = {
  readonly url: string;
  readonly dir: string;
  /** Path of the admin's kubeconfig. */
  readonly kubeconfig: string;
  readonly caFile: string;
  readonly auditLog?: string;
};

/**
 * Writes a kubeconfig for `access.url`, which may be a proxy that speaks plain HTTP, and returns
 * its path.
 */
export async function writeKubeconfig(
  file: string,
  access: { url: string; caFile: string; token: string },
): Promise<string> {
  const cluster = access.url.startsWith("https:")
    ? { server: access.url, "certificate-authority": access.caFile }
    : { server: access.url, "insecure-skip-tls-verify": true };
  const config = {
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "rollcast", cluster }],
    users: [{ name: "user", user: { token: access.token } }],
    contexts: [{ name: "rollcast", context: { cluster: "rollcast", user: "user" } }],
    "current-context": "rollcast",
  };
  await writeFile(file, JSON.stringify(config, null, 2));
  return file;
}

/**
 * Writes a kubeconfig for one of the users and returns its path; `at` is a proxy in front, which
 * must be of the caller alone, as the file then is.
 */
export function kubeconfigFor(
  { dir, url, caFile }: ClusterAccess,
  user: User,
  at = url,
): Promise<string> {
  const file = join(dir, `${user}-${new URL(at).port}.kubeconfig`);
  return writeKubeconfig(file, { url: at, caFile, token: tokenOf(user) });
}
