import type { Agent } from "node:http";
import type { RequestOptions } from "node:https";
import process from "node:process";
import { ConfigError } from "@rollcast/shared/errors";
import { credentialsOf } from "./access.ts";
import type { CredentialSource, Credentials } from "./access.ts";
import type { TlsMaterial } from "./agents.ts";
import { findInCluster } from "./in-cluster.ts";
import type { InCluster } from "./in-cluster.ts";
import { KubeError } from "./kube-error.ts";
import { credentialsFault } from "./credentials-fault.ts";
import { forLibrary } from "./kubeconfig-files.ts";
import type { KubeconfigTarget } from "./kubeconfig.ts";
import { loadLibrary } from "./library.ts";
import type { KubeConfig } from "./library.ts";
import { readKubeconfig } from "./read-kubeconfig.ts";
import type { KubeconfigOptions } from "./read-kubeconfig.ts";
import type { ConnectKubeOptions } from "./client.ts";

/** A kubeconfig, and what it is to the library. */
type Loaded = { readonly target: KubeconfigTarget; readonly kubeConfig: KubeConfig };

/** Throws {@link ConfigError}. */
function load(library: { KubeConfig: new () => KubeConfig }, options: KubeconfigOptions): Loaded {
  const target = readKubeconfig(options, process.env);
  const kubeConfig = new library.KubeConfig();
  try {
    kubeConfig.loadFromString(forLibrary(target));
  } catch (err) {
    // Its words are not quoted: what it complains of may be a secret.
    const { file } = target.cluster;
    throw new ConfigError(`the kubeconfig ${file} is none that can be used`, { cause: err });
  }
  return { target, kubeConfig };
}

async function readCredentials({ kubeConfig, target }: Loaded): Promise<Credentials> {
  const options: RequestOptions = {};
  // The library's public way to resolve files, exec plugins and providers; of the agents it adds,
  // one for a proxy is used.
  await kubeConfig.applyToHTTPSOptions(options).catch((err: unknown) => {
    throw new KubeError(0, "Credentials", credentialsFault(target, err), { cause: err });
  });
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(options.headers ?? {})) {
    headers[name.toLowerCase()] = String(value).trim();
  }
  if (options.auth !== undefined && options.auth !== null) {
    headers.authorization = `Basic ${Buffer.from(options.auth).toString("base64")}`;
  }
  const url = kubeConfig.getCurrentCluster()?.proxyUrl ?? "";
  const proxy = url === "" ? undefined : { url, agent: options.agent as Agent };
  return credentialsOf(headers, options as TlsMaterial, proxy);
}

type Target = { readonly server: string; readonly source: CredentialSource };

/** The kubeconfig that the options name, as it is now. Throws {@link ConfigError}. */
export async function readKubeConfig(options: KubeconfigOptions): Promise<KubeConfig> {
  return load(await loadLibrary(), options).kubeConfig;
}

/** The cluster and the credentials of a kubeconfig, as they are now. */
async function openKubeconfig(options: ConnectKubeOptions): Promise<Target> {
  const library = await loadLibrary();
  let loaded = load(library, options);
  return {
    server: loaded.target.cluster.server,
    source: {
      read: () => readCredentials(loaded),
      reload() {
        loaded = load(library, options);
      },
    },
  };
}

export function openTarget(options: ConnectKubeOptions): InCluster | Promise<Target> {
  const named = options.kubeconfig ?? process.env.KUBECONFIG ?? "";
  const usesKubeconfig = named !== "" || options.context !== undefined;
  const inCluster = usesKubeconfig
    ? undefined
    : findInCluster(process.env, options.serviceAccountDir);
  return inCluster ?? openKubeconfig(options);
}
