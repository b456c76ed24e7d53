import type { SecureContextOptions } from "node:tls";
import { Agent, ProxyAgent, Socks5ProxyAgent } from "undici";
import type { Dispatcher } from "undici";
import { KubeError, fromStatus, parseRetryAfter } from "./kube-error.ts";

export type TlsMaterial = SecureContextOptions & {
  rejectUnauthorized?: boolean;
  servername?: string;
};

/** How to reach the API server: TLS material and, where the kubeconfig names one, a proxy. */
export type Route = {
  readonly kind: "direct" | "proxy" | "socks";
  readonly tls: TlsMaterial;
  readonly proxy?: string;
};

/** Connections for requests (bounded) and for watches, which hold one each and must not use those up. */
export type Dispatchers = { readonly requests: Dispatcher; readonly streams: Dispatcher };

const CONNECT_MS = 10_000;
// Below the minute after which common load balancers forget an idle connection.
const TCP_KEEP_ALIVE_MS = 30_000;

function openDispatcher(route: Route, connections: number | null): Dispatcher {
  const common = { connections, headersTimeout: 0, bodyTimeout: 0 };
  const connect = {
    ...route.tls,
    timeout: CONNECT_MS,
    keepAlive: true,
    keepAliveInitialDelay: TCP_KEEP_ALIVE_MS,
  };
  if (route.proxy === undefined) return new Agent({ ...common, connect });
  if (route.kind === "socks") {
    return new Socks5ProxyAgent(route.proxy, { ...common, requestTls: connect });
  }
  return new ProxyAgent({ ...common, uri: route.proxy, requestTls: connect });
}

export function openDispatchers(route: Route, connections: number): Dispatchers {
  return {
    requests: openDispatcher(route, connections),
    streams: openDispatcher(route, null),
  };
}

/** One HTTP exchange as the transport needs it. */
export type Exchange = {
  url: URL;
  method: Dispatcher.HttpMethod;
  headers: Record<string, string>;
  body: string | null;
  /** Milliseconds until the whole answer (`send`) or its headers (`open`) must be there. */
  timeoutMs: number;
  signal: AbortSignal | undefined;
};

const MAX_ERROR_BYTES = 65_536;

/** A signal that fires with `parent` or after `timeoutMs`; `end` frees both. */
function deadline(parent: AbortSignal | undefined, timeoutMs: number) {
  parent?.throwIfAborted();
  const controller = new AbortController();
  const onAbort = () => controller.abort(parent?.reason);
  parent?.addEventListener("abort", onAbort, { once: true });
  const expire = () =>
    controller.abort(new KubeError(0, "Timeout", `no answer within ${timeoutMs} ms`));
  const timer = setTimeout(expire, timeoutMs);
  return {
    controller,
    clearTimer: () => clearTimeout(timer),
    end: () => {
      clearTimeout(timer);
      parent?.removeEventListener("abort", onAbort);
    },
  };
}

function noAnswer(err: unknown, signal: AbortSignal): unknown {
  if (err instanceof KubeError) return err;
  if (signal.aborted) return signal.reason;
  const code =
    err instanceof Error && "code" in err && typeof err.code === "string" ? err.code : "Network";
  const message = err instanceof Error ? err.message : String(err);
  return new KubeError(0, code, message || code, { cause: err });
}

async function readBounded(body: AsyncIterable<Buffer>, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > maxBytes) {
      throw new KubeError(0, "TooLarge", `the answer is larger than ${maxBytes} bytes`);
    }
    chunks.push(chunk);
  }
  return chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, size);
}

async function refusal(response: Dispatcher.ResponseData): Promise<KubeError> {
  const retryAfterMs = parseRetryAfter(response.headers["retry-after"], Date.now());
  let status: unknown;
  try {
    const bytes = await readBounded(response.body, MAX_ERROR_BYTES);
    status = JSON.parse(bytes.toString("utf8"));
  } catch {
    // A proxy's page or a cut answer: the HTTP status says enough.
  }
  return fromStatus(status, response.statusCode, retryAfterMs);
}

async function dispatch(
  dispatcher: Dispatcher,
  exchange: Exchange,
  signal: AbortSignal,
): Promise<Dispatcher.ResponseData> {
  const { url, method, headers, body } = exchange;
  const response = await dispatcher.request({
    origin: url.origin,
    path: `${url.pathname}${url.search}`,
    method,
    headers,
    body,
    signal,
  });
  // Whoever reads is told; without a listener, the end of a connection whose body nobody reads any more would end the process.
  response.body.on("error", () => undefined);
  return response;
}

/** Sends and reads the whole answer, at most `maxBytes`; throws {@link KubeError} unless it is 2xx, or the caller's abort reason. */
export async function send(
  dispatcher: Dispatcher,
  exchange: Exchange,
  maxBytes: number,
): Promise<Buffer> {
  const { controller, end } = deadline(exchange.signal, exchange.timeoutMs);
  try {
    const response = await dispatch(dispatcher, exchange, controller.signal);
    if (response.statusCode < 200 || response.statusCode > 299) throw await refusal(response);
    return await readBounded(response.body, maxBytes);
  } catch (err) {
    throw noAnswer(err, controller.signal);
  } finally {
    end();
  }
}

/** Sends and returns the body as it arrives; ending the iteration closes the connection. Errors as in {@link send}. */
export async function open(
  dispatcher: Dispatcher,
  exchange: Exchange,
): Promise<AsyncIterable<Uint8Array>> {
  const { controller, clearTimer, end } = deadline(exchange.signal, exchange.timeoutMs);
  let response: Dispatcher.ResponseData;
  try {
    response = await dispatch(dispatcher, exchange, controller.signal);
    if (response.statusCode < 200 || response.statusCode > 299) throw await refusal(response);
  } catch (err) {
    end();
    throw noAnswer(err, controller.signal);
  }
  clearTimer();
  return (async function* chunks() {
    try {
      for await (const chunk of response.body) yield chunk as Buffer;
    } catch (err) {
      throw noAnswer(err, controller.signal);
    } finally {
      end();
      controller.abort();
    }
  })();
}
