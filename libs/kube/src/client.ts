import type { Agent } from "node:http";
import type { RequestOptions } from "node:https";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import process from "node:process";
import { ConfigError } from "@rollcast/shared/errors";
import type { Logger } from "@rollcast/shared/logger";
import { credentialsOf, openAccess } from "./access.ts";
import type { Access, CredentialSource, Credentials } from "./access.ts";
import type { TlsMaterial } from "./agents.ts";
import { findInCluster } from "./in-cluster.ts";
import type { InCluster } from "./in-cluster.ts";
import { KubeError } from "./kube-error.ts";
import { loadLibrary } from "./library.ts";
import type { KubeConfig } from "./library.ts";
import { tokenFilesOf } from "./token-files.ts";
import { open, send } from "./transport.ts";
import type { Exchange } from "./transport.ts";

export { KubeError } from "./kube-error.ts";

export type KubeRequest = {
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Path below the server's URL (`/api/v1/namespaces`), each part percent-encoded. */
  path: string;
  query?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  body?: unknown;
  /** Of the body; `application/json` unless told. */
  contentType?: string;
  /** Media type asked for; `application/json` unless told. */
  accept?: string;
  /** Milliseconds until the whole answer (of a stream: its headers) must be there; 10 s unless told. */
  timeoutMs?: number;
  /** Largest answer in bytes; larger ones are a {@link KubeError} `TooLarge`. 64 MiB unless told. */
  maxBytes?: number;
  /** Makes the result of the body's bytes; parses it as JSON unless told. */
  parse?: (body: Buffer) => unknown;
  signal?: AbortSignal;
};

/**
 * The Kubernetes API of one cluster. All methods throw {@link KubeError} unless the answer is 2xx, and the reason of `signal` when it fired.
 * Credentials (tokens in files, exec plugins, client certificates) are read again as they change, and at once when the server answers 401.
 */
export type KubeClient = AsyncDisposable & {
  /** The server's URL. */
  readonly server: string;
  /** The parsed JSON of the answer. The caller says what form it has; nothing is checked here. */
  request<T>(options: KubeRequest): Promise<T>;
  /** The body as it arrives, e.g. of a watch. It must be iterated; ending the iteration closes the connection. */
  stream(options: KubeRequest): Promise<AsyncIterable<Uint8Array>>;
};

export type ConnectKubeOptions = {
  logger: Logger;
  /** Path of a kubeconfig; else `KUBECONFIG`, the service account of the pod, `~/.kube/config`, in this order. */
  kubeconfig?: string;
  /** Where a pod's service account is mounted, if not where the kubelet mounts it. */
  serviceAccountDir?: string;
  /** Name of a context in it; else its current one. */
  context?: string;
  /** Connections for requests; 32 unless told. Each watch has one more. */
  connections?: number;
};

const TIMEOUT_MS = 10_000;
const MAX_BYTES = 64 * 1_048_576;

/** Where a kubeconfig is, as the library looks for it; none in a pod. */
function kubeconfigFiles({ kubeconfig }: Pick<ConnectKubeOptions, "kubeconfig">): string[] {
  if (kubeconfig !== undefined) return [kubeconfig];
  const told = process.env.KUBECONFIG;
  if (told !== undefined && told !== "") return told.split(delimiter).filter((path) => path !== "");
  return [join(homedir(), ".kube", "config")];
}

function loadKubeConfig(
  kubeConfig: KubeConfig,
  options: Pick<ConnectKubeOptions, "kubeconfig" | "context">,
): KubeConfig {
  try {
    if (options.kubeconfig === undefined) kubeConfig.loadFromDefault();
    else kubeConfig.loadFromFile(options.kubeconfig);
  } catch (err) {
    throw new ConfigError(`the kubeconfig ${options.kubeconfig ?? ""} cannot be read`, {
      cause: err,
    });
  }
  const tokenFiles = tokenFilesOf(kubeconfigFiles(options));
  kubeConfig.users = kubeConfig.users.map((user) => {
    const tokenFile = tokenFiles.get(user.name);
    if (tokenFile === undefined) return user;
    const { token: _, ...rest } = user;
    return { ...rest, authProvider: { name: "tokenFile", config: { tokenFile } } };
  });
  // The library refuses plain HTTP (kubectl proxy) unless told not to verify TLS, of which there is none.
  kubeConfig.clusters = kubeConfig.clusters.map((cluster) =>
    cluster.server.startsWith("http:") ? { ...cluster, skipTLSVerify: true } : cluster,
  );
  if (options.context !== undefined) kubeConfig.setCurrentContext(options.context);
  const name = kubeConfig.getCurrentContext();
  if (kubeConfig.getCurrentCluster() === null) {
    const known = kubeConfig.getContexts().map((context) => context.name);
    throw new ConfigError(
      `the kubeconfig has no context "${name}": it has ${known.join(", ") || "none"}`,
    );
  }
  return kubeConfig;
}

async function readCredentials(kubeConfig: KubeConfig): Promise<Credentials> {
  const options: RequestOptions = {};
  // The library's public way to resolve files, exec plugins and providers; of the agents it adds, one for a proxy is used.
  await kubeConfig.applyToHTTPSOptions(options);
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
export async function readKubeConfig(
  options: Pick<ConnectKubeOptions, "kubeconfig" | "context">,
): Promise<KubeConfig> {
  const library = await loadLibrary();
  return loadKubeConfig(new library.KubeConfig(), options);
}

/** The cluster and the credentials of a kubeconfig, as they are now. */
async function openKubeconfig(options: ConnectKubeOptions): Promise<Target> {
  const library = await loadLibrary();
  let kubeConfig = loadKubeConfig(new library.KubeConfig(), options);
  return {
    server: kubeConfig.getCurrentCluster()?.server ?? "",
    source: {
      read: () => readCredentials(kubeConfig),
      reload() {
        kubeConfig = loadKubeConfig(new library.KubeConfig(), options);
      },
    },
  };
}

function openTarget(options: ConnectKubeOptions): InCluster | Promise<Target> {
  const told = options.kubeconfig ?? process.env.KUBECONFIG ?? "";
  const named = told !== "" || options.context !== undefined;
  const inCluster = named ? undefined : findInCluster(process.env, options.serviceAccountDir);
  return inCluster ?? openKubeconfig(options);
}

function exchangeOf(base: URL, request: KubeRequest, headers: Record<string, string>): Exchange {
  const url = new URL(base);
  url.pathname = `${base.pathname.replace(/\/$/, "")}${request.path}`;
  url.search = new URLSearchParams(request.query).toString();
  const sent: Record<string, string> = {
    "user-agent": "rollcast",
    accept: request.accept ?? "application/json",
    ...headers,
  };
  const body = request.body === undefined ? null : JSON.stringify(request.body);
  if (body !== null) {
    sent["content-type"] = request.contentType ?? "application/json";
    // Node tells the length by itself, but not of a DELETE: its body would be taken for the next request.
    sent["content-length"] = String(Buffer.byteLength(body));
  }
  return {
    url,
    method: request.method,
    headers: sent,
    body,
    timeoutMs: request.timeoutMs ?? TIMEOUT_MS,
    signal: request.signal,
  };
}

/**
 * Opens the Kubernetes API. Nothing is sent yet. Throws {@link ConfigError} where no kubeconfig can be read or it lacks the context.
 */
export async function connectKube(options: ConnectKubeOptions): Promise<KubeClient> {
  const { server, source } = await openTarget(options);
  const base = new URL(server);
  const access = openAccess(base, source, options);

  const withAccess = async <R>(use: (access: Access) => Promise<R>): Promise<R> => {
    const first = await access.get();
    try {
      return await use(first);
    } catch (err) {
      if (!(err instanceof KubeError) || err.status !== 401 || !access.renew(first)) throw err;
      options.logger.info({ server }, "credentials refused, read again");
      return use(await access.get());
    }
  };
  return {
    server,
    request: <T>(request: KubeRequest) =>
      withAccess(async ({ headers, agents }) => {
        const exchange = exchangeOf(base, request, headers);
        const bytes = await send(agents.requests, exchange, request.maxBytes ?? MAX_BYTES);
        return (request.parse ?? parseJson)(bytes) as T;
      }),
    stream: (request) =>
      withAccess(({ headers, agents }) => open(agents.streams, exchangeOf(base, request, headers))),
    async [Symbol.asyncDispose]() {
      access.destroy();
    },
  };
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch {
    // The parser's own words quote what it read, which may be a Secret.
    throw new KubeError(0, "NotJson", "the answer is not JSON");
  }
}
