import type { Agent } from "node:http";
import type { RequestOptions } from "node:https";
import process from "node:process";
import { readFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { isIPv6 } from "node:net";
import { join } from "node:path";
import { ConfigError } from "@rollcast/shared/errors";
import type { Env } from "@rollcast/runtime/config/load";
import { fileFault, systemReason } from "@rollcast/runtime/files/file-fault";
import { credentialsOf } from "./access.ts";
import type { CredentialSource, Credentials } from "./access.ts";
import type { TlsMaterial } from "./agents.ts";
import { KubeError } from "./kube-error.ts";
import { forLibrary, referencedFiles } from "./kubeconfig-files.ts";
import type { KubeconfigTarget } from "./kubeconfig.ts";
import { loadLibrary } from "./library.ts";
import type { KubeConfig } from "./library.ts";
import { readKubeconfig, referenceFault } from "./read-kubeconfig.ts";
import type { KubeconfigOptions } from "./read-kubeconfig.ts";
import type { ConnectKubeOptions } from "./client.ts";
import { dig } from "./object.ts";

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

/** Where the API server is and how a pod is let in. */
type InCluster = { readonly server: string; readonly source: CredentialSource };

const SERVICE_ACCOUNT_DIR = "/var/run/secrets/kubernetes.io/serviceaccount";
/** The kubelet renews the token long before it expires; client-go reads it as often. */
const TOKEN_TTL_MS = 60_000;

async function readMounted(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (err) {
    const fault = `the pod's service account: ${file} cannot be read: ${fileFault(err, file)}`;
    throw new KubeError(0, "Credentials", fault, { cause: err });
  }
}

/**
 * The service account of the pod this runs in, or undefined outside of one
 * (https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/). Without the client
 * library, whose generated models cost tens of MiB and most of a start.
 */
function findInCluster(env: Env, dir = SERVICE_ACCOUNT_DIR): InCluster | undefined {
  const host = env.KUBERNETES_SERVICE_HOST;
  const port = env.KUBERNETES_SERVICE_PORT;
  const tokenFile = join(dir, "token");
  if (host === undefined || port === undefined || !existsSync(tokenFile)) return undefined;
  let token: { text: string; readAt: number } | undefined;
  return {
    server: `https://${isIPv6(host) ? `[${host}]` : host}:${port}`,
    source: {
      async read() {
        const now = performance.now();
        if (token === undefined || now - token.readAt > TOKEN_TTL_MS) {
          token = { text: (await readMounted(tokenFile)).toString("utf8").trim(), readAt: now };
        }
        const headers = { authorization: `Bearer ${token.text}` };
        return credentialsOf(headers, { ca: await readMounted(join(dir, "ca.crt")) });
      },
      reload() {
        token = undefined;
      },
    },
  };
}

/**
 * Why the library could not make credentials of a kubeconfig. What a plugin wrote is not quoted: it
 * may be a secret.
 */
function credentialsFault(target: KubeconfigTarget, err: unknown): string {
  const file = referencedFiles(target).find(({ path }) => path === dig(err, "path"));
  if (file !== undefined) return referenceFault(file, err);
  const { user, cluster } = target;
  const command = dig(user?.fields.exec, "command");
  const whose = `user "${user?.name ?? ""}" in the kubeconfig ${user?.file ?? cluster.file}`;
  if (typeof command !== "string") return `the credentials of ${whose} cannot be read`;
  const plugin = `the credential plugin ${command} of ${whose}`;
  const syscall = dig(err, "syscall");
  return typeof syscall === "string" && syscall.startsWith("spawn")
    ? `${plugin} cannot be run: ${systemReason(err)}`
    : `${plugin} failed`;
}
