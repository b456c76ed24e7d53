import { lookup as systemLookup } from "node:dns";
import type { LookupAddress, LookupOptions } from "node:dns";
import type { Env } from "@rollcast/runtime/config/load";
import type { Security } from "@rollcast/shared/config/receivers";
import { addressFault, checkUrl } from "./address.ts";
import { createDispatchers, proxiesOf } from "./proxy.ts";
import { AddressRefusedError } from "./address-refused-error.ts";
import type { Answer } from "./answer.ts";

export type HttpPost = {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
};

/** Posts only to allowed addresses. */
export type GuardedFetch = AsyncDisposable & {
  /**
   * Sends one POST and resolves with any response. Redirects are never followed. Throws {@link
   * AddressRefusedError} before anything is sent when the URL or any address of its host is not
   * allowed (through a proxy, which resolves names itself, only the URL is checked). Network
   * errors, aborts and timeouts are thrown as they are.
   */
  post(post: HttpPost, signal: AbortSignal): Promise<Answer>;
};

/** Resolves a name to all its addresses; `lookup` of `node:dns` by default, replaced in tests. */
export type Resolve = (
  hostname: string,
  options: LookupOptions,
  callback: (err: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

export type GuardedFetchOptions = {
  security: Security;
  /**
   * The environment that may name proxies (`HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`); no proxies by
   * default.
   */
  env?: Env;
  /** Milliseconds from the start of the request to the end of the response; 15 s by default. */
  timeoutMs?: number;
  resolve?: Resolve;
};

const TIMEOUT_MS = 15_000;
const MAX_BODY_BYTES = 65_536;
const IDLE_MS = 10_000;

const resolveAll: Resolve = (hostname, options, callback) =>
  systemLookup(hostname, { ...options, all: true }, callback);

/**
 * A `lookup` for sockets that returns checked addresses only, so that exactly the checked address
 * is connected to. One refused address refuses the host.
 */
function guardedLookup(security: Security, resolve: Resolve) {
  return (
    hostname: string,
    options: LookupOptions,
    callback: (
      err: NodeJS.ErrnoException | null,
      address: string | LookupAddress[],
      family?: number,
    ) => void,
  ) => {
    resolve(hostname, options, (err, addresses) => {
      if (err !== null) {
        callback(err, []);
        return;
      }
      for (const { address } of addresses) {
        const fault = addressFault(address, security.allowCidrs);
        if (fault === undefined) continue;
        const message = `the host of the receiver resolves to ${address}, which ${fault}`;
        callback(new AddressRefusedError(message), []);
        return;
      }
      const [first] = addresses;
      if (options.all === true) callback(null, addresses);
      else if (first !== undefined) callback(null, first.address, first.family);
      else callback(new Error("the host of the receiver has no address"), []);
    });
  };
}

async function readCapped(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of body) {
      chunks.push(chunk);
      size += chunk.length;
      // Leaving the loop destroys the stream and with it the connection, which would go on
      // receiving.
      if (size >= MAX_BODY_BYTES) break;
    }
  } catch {
    // The status has arrived: a truncated body does not change it.
  }
  return Buffer.concat(chunks).subarray(0, MAX_BODY_BYTES).toString("utf8");
}

/** Replaces undici's abort error with the status that the proxy answered. */
function throwProxyStatus(err: unknown): never {
  const status =
    err instanceof Error ? /^Proxy response \((\d+)\)/.exec(err.message)?.[1] : undefined;
  if (status === undefined) throw err;
  throw new Error(`the proxy answered ${status}`, { cause: err });
}

export function createGuardedFetch(options: GuardedFetchOptions): GuardedFetch {
  const { security } = options;
  const dispatchers = createDispatchers(proxiesOf(options.env ?? {}), {
    connect: { lookup: guardedLookup(security, options.resolve ?? resolveAll), timeout: 10_000 },
    // With HTTP/2, the end of a session may crash the process: docs/decisions/0015-http-of-node.md.
    allowH2: false,
    keepAliveTimeout: IDLE_MS,
    keepAliveMaxTimeout: IDLE_MS,
    connections: 4,
    pipelining: 1,
  });
  return {
    async post({ url, headers, body }, signal) {
      checkUrl(url, security);
      const deadline = AbortSignal.any([
        signal,
        AbortSignal.timeout(options.timeoutMs ?? TIMEOUT_MS),
      ]);
      const response = await dispatchers
        .for(url)
        .request({
          origin: url.origin,
          path: `${url.pathname}${url.search}`,
          method: "POST",
          headers,
          body,
          signal: deadline,
        })
        .catch(throwProxyStatus);
      const wait = response.headers["retry-after"];
      return {
        status: response.statusCode,
        retryAfter: Array.isArray(wait) ? wait[0] : wait,
        body: await readCapped(response.body),
      };
    },
    [Symbol.asyncDispose]: () => dispatchers[Symbol.asyncDispose](),
  };
}
