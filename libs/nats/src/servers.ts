import { ConfigError } from "@rollcast/shared/errors";

/** Where to connect to and as whom. `tls`: nothing is said before the connection is encrypted. */
export type NatsServers = {
  readonly servers: string[];
  readonly tls: boolean;
  readonly user?: string;
  readonly pass?: string;
  readonly token?: string;
};

const SERVER = /^(?:(nats|tls):\/\/)?(?:([^@/\s]*)@)?([^@/\s]+)\/?$/;

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new ConfigError("the credentials in the URL of NATS are not percent-encoded");
  }
}

function credentials(userinfo: string): Pick<NatsServers, "user" | "pass" | "token"> {
  const colon = userinfo.indexOf(":");
  if (colon < 0) return { token: decode(userinfo) };
  return { user: decode(userinfo.slice(0, colon)), pass: decode(userinfo.slice(colon + 1)) };
}

/**
 * The servers in `url`: `nats://host:4222` or `tls://host:4222`, several separated by commas, with
 * `user:password@` or `token@` before the host (the same for all, percent-encoded). With one `tls`
 * all are. Throws {@link ConfigError}, which does not quote the URL.
 */
export function parseServers(url: string): NatsServers {
  const servers: string[] = [];
  const userinfos = new Set<string>();
  let tls = false;
  for (const part of url.split(",")) {
    const [, scheme, userinfo, host] = SERVER.exec(part.trim()) ?? [];
    if (host === undefined) throw new ConfigError("a URL of NATS must be like nats://host:4222");
    servers.push(host);
    tls ||= scheme === "tls";
    if (userinfo !== undefined && userinfo !== "") userinfos.add(userinfo);
  }
  const [userinfo, ...others] = userinfos;
  if (others.length > 0) {
    throw new ConfigError("the URLs of NATS have different credentials: they must be the same");
  }
  return { servers, tls, ...(userinfo === undefined ? {} : credentials(userinfo)) };
}
