import { Agent as PlainAgent } from "node:http";
import { Agent as TlsAgent } from "node:https";
import type { SecureContextOptions } from "node:tls";

export type TlsMaterial = SecureContextOptions & {
  rejectUnauthorized?: boolean;
  servername?: string;
};

/**
 * How to reach the API server: with which TLS material, or through which agent, where the
 * kubeconfig names a proxy.
 */
export type AgentRoute = { readonly tls: TlsMaterial; readonly through?: PlainAgent };

/** The connections to one server. */
export type Connections = {
  readonly agent: PlainAgent;
  /**
   * Set where the agent leads through a proxy: the name that the server's certificate must be for.
   */
  readonly serverName?: string;
};

/**
 * Connections for requests (bounded) and for watches, which hold one each and must not use those
 * up.
 */
export type Agents = { readonly requests: Connections; readonly streams: Connections };

/** A connection without work is closed: each costs memory on both sides. */
const IDLE_MS = 4_000;
// Below the minute after which common load balancers forget an idle connection.
const TCP_KEEP_ALIVE_MS = 30_000;

function openAgent(url: URL, { tls, through }: AgentRoute, maxSockets: number): Connections {
  if (through !== undefined) {
    return { agent: through, serverName: tls.servername ?? url.hostname.replaceAll(/[[\]]/g, "") };
  }
  const options = {
    keepAlive: true,
    keepAliveMsecs: TCP_KEEP_ALIVE_MS,
    timeout: IDLE_MS,
    maxSockets,
  };
  const secure = url.protocol === "https:";
  const agent = secure ? new TlsAgent({ ...options, ...tls }) : new PlainAgent(options);
  return { agent };
}

/** Opens nothing yet. */
export function openAgents(url: URL, route: AgentRoute, connections: number): Agents {
  return {
    requests: openAgent(url, route, connections),
    streams: openAgent(url, route, Number.POSITIVE_INFINITY),
  };
}

/** Whether no request is under way: what is kept open besides ends by itself. */
export function isIdle({ requests, streams }: Agents): boolean {
  return [requests, streams].every(({ agent }) => Object.keys(agent.sockets).length === 0);
}

/** Ends every connection, and the requests on them. */
export function destroyAgents({ requests, streams }: Agents): void {
  for (const { agent } of [requests, streams]) agent.destroy();
}
