import { createHash } from "node:crypto";
import type { Agent } from "node:http";
import { withDeadline } from "@rollcast/async/deadline";
import type { Logger } from "@rollcast/runtime/logger";
import { destroyAgents, isIdle, openAgents } from "./agents.ts";
import type { Agents, AgentRoute, TlsMaterial } from "./agents.ts";
import { KubeError } from "./kube-error.ts";

/** What a request needs to be let in. `fingerprint` changes with the TLS material and the route. */
export type Credentials = {
  readonly headers: Record<string, string>;
  readonly route: AgentRoute;
  readonly fingerprint: string;
};

/**
 * Where credentials come from: `read` gives the present ones, `reload` forgets what is kept of them
 * and throws where it cannot.
 */
export type CredentialSource = { read(): Promise<Credentials>; reload(): void };

const TLS_KEYS = [
  "ca",
  "cert",
  "key",
  "pfx",
  "passphrase",
  "rejectUnauthorized",
  "servername",
] as const;

/**
 * Credentials of headers and TLS material (more of the latter is left out), through `proxy` where
 * there is one: its URL, and an agent for it.
 */
export function credentialsOf(
  headers: Record<string, string>,
  material: TlsMaterial,
  proxy?: { readonly url: string; readonly agent: Agent },
): Credentials {
  const tls: TlsMaterial = {};
  const hash = createHash("sha256");
  for (const key of TLS_KEYS) {
    const value = material[key];
    if (value === undefined) continue;
    Object.assign(tls, { [key]: value });
    hash.update(`${key}\0${String(value)}\0`);
  }
  hash.update(proxy?.url ?? "");
  const route = proxy === undefined ? { tls } : { tls, through: proxy.agent };
  return { headers, route, fingerprint: hash.digest("hex") };
}

export type Access = {
  readonly headers: Record<string, string>;
  readonly agents: Agents;
  /** Grows when the credentials were loaded anew. */
  readonly generation: number;
};

const CONNECTIONS = 32;
const TTL_MS = 1_000;
const RENEW_INTERVAL_MS = 2_000;
/** An exec plugin may ask a person; longer than this it hangs. */
const CREDENTIALS_MS = 60_000;

function noCredentials(): KubeError {
  return new KubeError(0, "Credentials", `no credentials within ${CREDENTIALS_MS} ms`);
}

/**
 * Reads credentials as they change, and keeps one set of connections for as long as the TLS
 * material is the same.
 */
export function openAccess(
  server: URL,
  source: CredentialSource,
  options: { readonly connections?: number; readonly logger: Logger },
) {
  let fingerprint = "";
  let agents: Agents | undefined;
  let cached: { access: Promise<Access>; until: number } | undefined;
  let renewedAt = Number.NEGATIVE_INFINITY;
  let generation = 0;
  const opened = new Set<Agents>();

  const resolve = async (): Promise<Access> => {
    const of = generation;
    const credentials = await withDeadline(CREDENTIALS_MS, source.read(), noCredentials).catch(
      (err: unknown) => {
        if (err instanceof KubeError) throw err;
        throw new KubeError(0, "Credentials", "the credentials cannot be read", { cause: err });
      },
    );
    if (agents === undefined || credentials.fingerprint !== fingerprint) {
      // What runs on the connections before may end there: a watch does so within minutes.
      for (const before of opened) if (isIdle(before)) opened.delete(before);
      agents = openAgents(server, credentials.route, options.connections ?? CONNECTIONS);
      fingerprint = credentials.fingerprint;
      opened.add(agents);
    }
    return { headers: credentials.headers, agents, generation: of };
  };

  return {
    get(): Promise<Access> {
      const now = performance.now();
      if (cached === undefined || now >= cached.until) {
        const entry = { access: resolve(), until: Number.POSITIVE_INFINITY };
        cached = entry;
        entry.access.then(
          () => {
            entry.until = performance.now() + TTL_MS;
          },
          () => {
            entry.until = 0;
          },
        );
      }
      return cached.access;
    },
    /**
     * Forgets what the library keeps of tokens, after they were refused; false where another
     * attempt can bring nothing new.
     */
    renew(refused: Access): boolean {
      if (refused.generation < generation) return true;
      const now = performance.now();
      if (now - renewedAt < RENEW_INTERVAL_MS) return false;
      renewedAt = now;
      try {
        source.reload();
      } catch (err) {
        options.logger.warn({ err }, "credentials not reloaded");
        return false;
      }
      cached = undefined;
      generation++;
      return true;
    },
    destroy() {
      for (const access of opened) destroyAgents(access);
    },
  };
}
