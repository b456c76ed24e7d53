import type { Logger } from "@rollcast/runtime/logger";
import { openAccess } from "./access.ts";
import type { Access } from "./access.ts";
import { KubeError } from "./kube-error.ts";
import type { KubeconfigOptions } from "./read-kubeconfig.ts";
import { open, send } from "./transport.ts";
import type { Exchange } from "./transport.ts";
import { openTarget } from "./kube-target.ts";

export { KubeError, isTransient } from "./kube-error.ts";

export type KubeRequest = {
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Path below the server's URL (`/api/v1/namespaces`), each part percent-encoded. */
  path: string;
  query?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  body?: unknown;
  /** Of the body; default `application/json`. */
  contentType?: string;
  /** Media type asked for; default `application/json`. */
  accept?: string;
  /**
   * Milliseconds until the whole answer (of a stream: its headers) must be there; default 10 s.
   */
  timeoutMs?: number;
  /**
   * Largest answer in bytes, 64 MiB by default; a larger one is a {@link KubeError} `TooLarge`.
   */
  maxBytes?: number;
  /** Makes the result of the body's bytes; by default parses it as JSON. */
  parse?: (body: Buffer) => unknown;
  signal?: AbortSignal;
};

/**
 * The Kubernetes API of one cluster. All methods throw {@link KubeError} unless the answer is 2xx,
 * and the reason of `signal` when it fired. Credentials (tokens in files, exec plugins, client
 * certificates) are read again as they change, and at once when the server answers 401.
 */
export type KubeClient = AsyncDisposable & {
  /** The server's URL. */
  readonly server: string;
  /** The parsed JSON of the answer. The caller says what form it has; nothing is checked here. */
  request<T>(options: KubeRequest): Promise<T>;
  /**
   * The body as it arrives, e.g. of a watch. It must be iterated; ending the iteration closes the
   * connection.
   */
  stream(options: KubeRequest): Promise<AsyncIterable<Uint8Array>>;
};

/**
 * `kubeconfig`: else `KUBECONFIG`, the service account of the pod, `~/.kube/config`, in this order.
 */
export type ConnectKubeOptions = KubeconfigOptions & {
  logger: Logger;
  /** Where a pod's service account is mounted, if not where the kubelet mounts it. */
  serviceAccountDir?: string;
  /** Connections for requests; default 32. Each watch has one more. */
  connections?: number;
};

const TIMEOUT_MS = 10_000;
const MAX_BYTES = 64 * 1_048_576;

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
    // Node sends the length by itself, but not of a DELETE: its body would be taken for the next
    // request.
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
 * Opens the Kubernetes API. Nothing is sent yet. Throws {@link ConfigError} where no kubeconfig can
 * be read or it lacks the context.
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
      options.logger.info({ server }, "credentials refused, reloading");
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
