import { dirname, resolve } from "node:path";
import { textAt } from "./kubeconfig.ts";
import type { KubeconfigEntry, KubeconfigTarget } from "./kubeconfig.ts";

/** A file that a kubeconfig refers to: `key` says as what, `of` for whom. */
export type ReferencedFile = {
  readonly key: string;
  readonly of: string;
  readonly kubeconfig: string;
  readonly path: string;
};

/**
 * Every file that is read besides the kubeconfig itself. What is in the kubeconfig goes before a
 * file with the same, but a token in a file before one beside it.
 */
export function referencedFiles({ cluster, user }: KubeconfigTarget): ReferencedFile[] {
  const referenced = (entry: KubeconfigEntry | undefined, of: string, key: string) => {
    const path = entry === undefined ? undefined : textAt(entry, key);
    if (entry === undefined || path === undefined) return [];
    if (textAt(entry, `${key}-data`) !== undefined) return [];
    const whose = `${of} "${entry.name}"`;
    return [{ key, of: whose, kubeconfig: entry.file, path: resolve(dirname(entry.file), path) }];
  };
  return [
    ...referenced(cluster, "cluster", "certificate-authority"),
    ...["client-certificate", "client-key", "tokenFile"].flatMap((key) =>
      referenced(user, "user", key),
    ),
  ];
}

/**
 * The target as a kubeconfig for the client library: nothing but what is used, with absolute paths,
 * and with what the library does not know as it knows it: that data in the kubeconfig go before
 * files, that a token may be in a file, and that plain HTTP (kubectl proxy) has no TLS to verify.
 */
export function forLibrary(target: KubeconfigTarget): string {
  const { context, cluster, user } = target;
  const paths = new Map(referencedFiles(target).map(({ key, path }) => [key, path]));
  const { token, ...userFields } = user?.fields ?? {};
  const tokenFile = paths.get("tokenFile");
  const bearer =
    tokenFile === undefined
      ? { token }
      : { "auth-provider": { name: "tokenFile", config: { tokenFile } } };
  const plain = cluster.server.startsWith("http:") ? { "insecure-skip-tls-verify": true } : {};
  const ca = { "certificate-authority": paths.get("certificate-authority") };
  const pair = {
    "client-certificate": paths.get("client-certificate"),
    "client-key": paths.get("client-key"),
  };
  return JSON.stringify({
    clusters: [{ name: cluster.name, cluster: { ...cluster.fields, ...ca, ...plain } }],
    users:
      user === undefined ? [] : [{ name: user.name, user: { ...userFields, ...pair, ...bearer } }],
    contexts: [{ name: context, context: { cluster: cluster.name, user: user?.name } }],
    "current-context": context,
  });
}
