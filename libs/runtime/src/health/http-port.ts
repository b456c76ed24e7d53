import { ConfigError } from "@rollcast/shared/errors";

/**
 * The port of `/livez`, `/readyz` and `/metrics`: `ROLLCAST_HTTP_PORT`, else `fallback`; 0 takes a
 * free one. Throws {@link ConfigError}.
 */
export function httpPort(
  env: Readonly<Record<string, string | undefined>>,
  fallback = 8080,
): number {
  const text = env.ROLLCAST_HTTP_PORT;
  if (text === undefined || text === "") return fallback;
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port > 65_535) {
    throw new ConfigError(`ROLLCAST_HTTP_PORT is "${text.slice(0, 20)}": must be 0 to 65535`);
  }
  return port;
}
