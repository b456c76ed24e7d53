import type { Env } from "@rollcast/runtime/config/load";
import { ConfigError } from "@rollcast/shared/errors";
import { Agent, EnvHttpProxyAgent } from "undici";
import type { Dispatcher } from "undici";

/** The proxies named by the environment; empty strings for none. */
export type Proxies = { readonly http: string; readonly https: string; readonly no: string };

/** Reads a variable in lower case or, if that is not set, in upper case, as curl does. */
function read(env: Env, name: string): string {
  return (env[name] ?? env[name.toUpperCase()] ?? "").trim();
}

function proxyUrl(env: Env, name: string): string {
  const text = read(env, name);
  if (text === "" || /^https?:$/.test(URL.parse(text)?.protocol ?? "")) return text;
  // The value is not quoted: it may hold a password.
  throw new ConfigError(`${name.toUpperCase()} must be like http://proxy.example.com:3128`);
}

/**
 * Reads `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`. Throws {@link ConfigError} when a proxy's URL
 * is invalid.
 */
export function proxiesOf(env: Env): Proxies {
  return {
    http: proxyUrl(env, "http_proxy"),
    https: proxyUrl(env, "https_proxy"),
    no: read(env, "no_proxy"),
  };
}

/**
 * Chooses the dispatcher for a URL: direct, with `options` for the connection, or through the proxy
 * for its scheme. A proxy resolves names itself, so a `lookup` in the options applies to direct
 * connections only. All URLs of a scheme share a dispatcher.
 */
export function createDispatchers(
  proxies: Proxies,
  options: Agent.Options,
): AsyncDisposable & { for(url: URL): Dispatcher } {
  const direct = new Agent(options);
  const noProxy = proxies.no;
  const http =
    proxies.http === ""
      ? direct
      : new EnvHttpProxyAgent({ ...options, noProxy, httpProxy: proxies.http, httpsProxy: "" });
  const https =
    proxies.https === ""
      ? direct
      : new EnvHttpProxyAgent({ ...options, noProxy, httpProxy: "", httpsProxy: proxies.https });
  return {
    for: ({ protocol }) => (protocol === "https:" ? https : http),
    async [Symbol.asyncDispose]() {
      await Promise.all(
        [...new Set([direct, http, https])].map((dispatcher) => dispatcher.destroy()),
      );
    },
  };
}
