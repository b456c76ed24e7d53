import { lookup as systemLookup } from "node:dns";
import type { LookupAddress, LookupOptions } from "node:dns";
import ipaddr from "ipaddr.js";
import { Agent, EnvHttpProxyAgent } from "undici";
import type { Dispatcher, ProxyAgent } from "undici";
import type { Env } from "@rollcast/runtime/config/load";
import type { Security } from "@rollcast/shared/config/receivers";
import { ConfigError } from "@rollcast/shared/errors";

/** The receiver must not be sent to at this address. */
export class AddressRefusedError extends Error {
  override name = "AddressRefusedError";
}

/** The response of a receiver: status, `Retry-After` header and the beginning of the body. */
export type Answer = {
  readonly status: number;
  readonly retryAfter: string | undefined;
  readonly body: string;
};

type HttpPost = {
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
  /** What the receiver's certificate is trusted by, in PEM; undefined: what Node trusts. */
  ca?: readonly string[] | undefined;
  /**
   * The environment that may name proxies (`HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`); no proxies by
   * default.
   */
  env?: Env;
  /** Milliseconds from the start of the request to the end of the response; 15 s by default. */
  timeoutMs?: number;
  resolve?: Resolve;
};

type Address = ReturnType<typeof ipaddr.process>;

function inCidr(address: Address, cidr: string): boolean {
  const [base, bits] = ipaddr.parseCIDR(cidr);
  // A range of mapped addresses (::ffff:10.0.0.0/104) means the IPv4 addresses in it.
  const range =
    base instanceof ipaddr.IPv6 && base.isIPv4MappedAddress() && bits >= 96
      ? ([base.toIPv4Address(), bits - 96] as const)
      : ([base, bits] as const);
  return address.kind() === range[0].kind() && address.match(range[0], range[1]);
}

/**
 * Why the notifier must not connect to an IP address, or undefined. Only public unicast addresses
 * are allowed, and those that the receiver's configuration lists. An IPv4 address inside an IPv6
 * address counts as IPv4; NAT64 and 6to4 addresses, which hide one, are refused.
 */
export function addressFault(ip: string, allowCidrs: readonly string[]): string | undefined {
  if (!ipaddr.isValid(ip)) return "is not an IP address";
  const address = ipaddr.process(ip);
  if (allowCidrs.some((cidr) => inCidr(address, cidr))) return undefined;
  const range = address.range();
  if (range === "unicast") return undefined;
  return `is in a range (${range}) that is not public: list it in security.allowCidrs if that is intended`;
}

/** The address when a URL's host is a literal address; undefined for a name. */
function literalAddress(url: URL): string | undefined {
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  return ipaddr.IPv4.isValidFourPartDecimal(host) || ipaddr.IPv6.isValid(host) ? host : undefined;
}

/**
 * Checks the URL's scheme, port, user name and literal address; throws {@link AddressRefusedError}
 * when the receiver must not be sent to. The message names at most host and port, because path and
 * query may be a credential.
 */
export function checkUrl(url: URL, security: Security): void {
  const refuse = (why: string) => {
    throw new AddressRefusedError(`the URL of the receiver ${why}`);
  };
  if (url.protocol !== "https:" && !(url.protocol === "http:" && security.allowHttp)) {
    refuse("is not https: set security.allowHttp if plain http is intended");
  }
  if (url.username !== "" || url.password !== "") refuse("holds a user name or password");
  const fallback = url.protocol === "https:" ? 443 : 80;
  const port = url.port === "" ? fallback : Number(url.port);
  if (!security.allowedPorts.includes(port)) {
    refuse(`is on port ${port}: list it in security.allowedPorts if that is intended`);
  }
  const literal = literalAddress(url);
  if (literal === undefined) return;
  const fault = addressFault(literal, security.allowCidrs);
  if (fault !== undefined) refuse(`is at ${literal}, which ${fault}`);
}

/** Reads a variable in lower case or, if that is not set, in upper case, as curl does. */
function readVariable(env: Env, name: string): string {
  return (env[name] ?? env[name.toUpperCase()] ?? "").trim();
}

function proxyUrl(env: Env, name: string): string {
  const text = readVariable(env, name);
  if (text === "" || /^https?:$/.test(URL.parse(text)?.protocol ?? "")) return text;
  // The value is not quoted: it may hold a password.
  throw new ConfigError(`${name.toUpperCase()} must be like http://proxy.example.com:3128`);
}

/**
 * Chooses the dispatcher for a URL: direct, with `options` for the connection, or through the proxy
 * that `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` name for its scheme. A proxy resolves names
 * itself, so a `lookup` in the options applies to direct connections only. All URLs of a scheme
 * share a dispatcher. Throws {@link ConfigError} when a proxy's URL is invalid.
 */
function createDispatchers(
  env: Env,
  { requestTls, ...options }: Agent.Options & Pick<ProxyAgent.Options, "requestTls">,
): AsyncDisposable & { for(url: URL): Dispatcher } {
  const httpProxy = proxyUrl(env, "http_proxy");
  const httpsProxy = proxyUrl(env, "https_proxy");
  const noProxy = readVariable(env, "no_proxy");
  const direct = new Agent(options);
  const http =
    httpProxy === ""
      ? direct
      : new EnvHttpProxyAgent({ ...options, requestTls, noProxy, httpProxy, httpsProxy: "" });
  const https =
    httpsProxy === ""
      ? direct
      : new EnvHttpProxyAgent({ ...options, requestTls, noProxy, httpProxy: "", httpsProxy });
  return {
    for: ({ protocol }) => (protocol === "https:" ? https : http),
    async [Symbol.asyncDispose]() {
      await Promise.all(
        [...new Set([direct, http, https])].map((dispatcher) => dispatcher.destroy()),
      );
    },
  };
}

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
  const ca = options.ca === undefined ? {} : { ca: [...options.ca] };
  const dispatchers = createDispatchers(options.env ?? {}, {
    // Through a tunnel of a proxy.
    requestTls: ca,
    connect: {
      ...ca,
      lookup: guardedLookup(security, options.resolve ?? resolveAll),
      timeout: 10_000,
    },
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
