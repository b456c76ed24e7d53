import type { Agent } from "node:http";
import type { RequestOptions } from "node:https";
import process from "node:process";
import { ConfigError } from "@rollcast/shared/errors";
import type { Logger } from "@rollcast/runtime/logger";
import { credentialsOf, openAccess } from "./access.ts";
import type { Access, CredentialSource, Credentials } from "./access.ts";
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

/** `kubeconfig`: else `KUBECONFIG`, the service account of the pod, `~/.kube/config`, in this order. */
export type ConnectKubeOptions = KubeconfigOptions & {
  logger: Logger;
  /** Where a pod's service account is mounted, if not where the kubelet mounts it. */
  serviceAccountDir?: string;
  /** Connections for requests; 32 unless told. Each watch has one more. */
  connections?: number;
};

const TIMEOUT_MS = 10_000;
const MAX_BYTES = 64 * 1_048_576;

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
  // The library's public way to resolve files, exec plugins and providers; of the agents it adds, one for a proxy is used.
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

function openTarget(options: ConnectKubeOptions): InCluster | Promise<Target> {
  const named = options.kubeconfig ?? process.env.KUBECONFIG ?? "";
  const usesKubeconfig = named !== "" || options.context !== undefined;
  const inCluster = usesKubeconfig
    ? undefined
    : findInCluster(process.env, options.serviceAccountDir);
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
