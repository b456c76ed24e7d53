import { request as plainRequest } from "node:http";
import type { ClientRequest, IncomingMessage } from "node:http";
import { request as tlsRequest } from "node:https";
import { checkServerIdentity } from "node:tls";
import type { PeerCertificate } from "node:tls";
import { toError } from "@rollcast/shared/errors";
import type { Connections } from "./agents.ts";
import { KubeError, fromStatus } from "./kube-error.ts";
import { parseRetryAfter } from "@rollcast/shared/retry-after";

const CONNECT_MS = 10_000;

/** One HTTP exchange as the transport needs it. */
export type Exchange = {
  url: URL;
  method: string;
  headers: Record<string, string>;
  body: string | null;
  /** Milliseconds until the whole answer (`send`) or its headers (`open`) must be there. */
  timeoutMs: number;
  signal: AbortSignal | undefined;
};

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

/** Gives up a connection that does not come about, whatever time the answer has. */
function limitConnecting(request: ClientRequest): void {
  const expire = () =>
    request.destroy(new KubeError(0, "ConnectTimeout", `no connection within ${CONNECT_MS} ms`));
  request.once("socket", (socket) => {
    if (request.reusedSocket) return;
    const timer = setTimeout(expire, CONNECT_MS);
    const clear = () => clearTimeout(timer);
    socket.once("encrypted" in socket ? "secureConnect" : "connect", clear);
    request.once("close", clear);
  });
}

/**
 * Sends; resolves with the answer when its headers are there. When `signal` fires, the request or
 * the reading of its answer fails.
 */
function dispatch(
  { agent, serverName }: Connections,
  { url, method, headers, body }: Exchange,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const begin = url.protocol === "https:" ? tlsRequest : plainRequest;
  // Through SOCKS, the agent's own check of an address would be for another name.
  const identity =
    serverName === undefined
      ? {}
      : {
          checkServerIdentity: (_: string, cert: PeerCertificate) =>
            checkServerIdentity(serverName, cert),
        };
  const request = begin(url, { method, headers, agent, ...identity });
  let answer: IncomingMessage | undefined;
  // For good: without a listener, an error that comes when nobody waits any more would end the
  // process.
  request.on("error", reject);
  request.once("response", (response) => {
    answer = response;
    response.on("error", () => undefined);
    resolve(response);
  });
  const onAbort = () => (answer ?? request).destroy(toError(signal.reason));
  signal.addEventListener("abort", onAbort, { once: true });
  if (serverName === undefined) limitConnecting(request);
  request.end(body ?? undefined);
  return promise;
}

/**
 * Sends and reads the whole answer, at most `maxBytes`; throws {@link KubeError} unless it is 2xx,
 * or the caller's abort reason.
 */
export async function send(
  connections: Connections,
  exchange: Exchange,
  maxBytes: number,
): Promise<Buffer> {
  const { controller, end } = deadline(exchange.signal, exchange.timeoutMs);
  try {
    const response = await dispatch(connections, exchange, controller.signal);
    if (!isSuccess(response)) throw await refusal(response);
    return await readBounded(response, maxBytes);
  } catch (err) {
    throw noAnswer(err, controller.signal);
  } finally {
    end();
  }
}

/**
 * Sends and returns the body as it arrives; ending the iteration closes the connection. Errors as
 * in {@link send}.
 */
export async function open(
  connections: Connections,
  exchange: Exchange,
): Promise<AsyncIterable<Uint8Array>> {
  const { controller, clearTimer, end } = deadline(exchange.signal, exchange.timeoutMs);
  let response: IncomingMessage;
  try {
    response = await dispatch(connections, exchange, controller.signal);
    if (!isSuccess(response)) throw await refusal(response);
  } catch (err) {
    end();
    throw noAnswer(err, controller.signal);
  }
  clearTimer();
  return (async function* chunks() {
    try {
      for await (const chunk of response) yield chunk as Buffer;
    } catch (err) {
      throw noAnswer(err, controller.signal);
    } finally {
      end();
      controller.abort();
    }
  })();
}

const MAX_ERROR_BYTES = 65_536;

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

/** Throws where the answer is cut: its HTTP status alone would not say what was refused. */
async function refusal(response: IncomingMessage): Promise<KubeError> {
  const retryAfterMs = parseRetryAfter(response.headers["retry-after"], Date.now());
  const status = await readStatus(response);
  return fromStatus(status, response.statusCode ?? 0, retryAfterMs);
}

async function readStatus(response: IncomingMessage): Promise<unknown> {
  try {
    const bytes = await readBounded(response, MAX_ERROR_BYTES);
    return JSON.parse(bytes.toString("utf8"));
  } catch (err) {
    // A proxy's page, however long: the HTTP status says enough.
    const isTooLarge = err instanceof KubeError && err.reason === "TooLarge";
    if (err instanceof SyntaxError || isTooLarge) return undefined;
    throw err;
  }
}

function isSuccess({ statusCode = 0 }: IncomingMessage): boolean {
  return statusCode >= 200 && statusCode <= 299;
}
