import { setImmediate } from "node:timers/promises";
import { createHash } from "node:crypto";
import type { Logger } from "@rollcast/shared/logger";
import { KubeError } from "./kube-error.ts";
import { openDispatchers } from "./transport.ts";
import type { Dispatchers, Route, TlsMaterial } from "./transport.ts";

/** What a request needs to be let in. `fingerprint` changes with the TLS material and the route. */
export type Credentials = {
  readonly headers: Record<string, string>;
  readonly route: Route;
  readonly fingerprint: string;
};

/** Where credentials come from: `read` gives the present ones, `reload` forgets what is kept of them and throws where it cannot. */
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

/** Credentials of headers and TLS material (more of the latter is left out), through `proxy` where there is one. */
export function credentialsOf(
  headers: Record<string, string>,
  material: TlsMaterial,
  proxy?: string,
): Credentials {
  const tls: TlsMaterial = {};
  const hash = createHash("sha256");
  for (const key of TLS_KEYS) {
    const value = material[key];
    if (value === undefined) continue;
    Object.assign(tls, { [key]: value });
    hash.update(`${key}\0${String(value)}\0`);
  }
  hash.update(proxy ?? "");
  const route: Route =
    proxy === undefined || proxy === ""
      ? { kind: "direct", tls }
      : { kind: proxy.startsWith("socks") ? "socks" : "proxy", tls, proxy };
  return { headers, route, fingerprint: hash.digest("hex") };
}

export type Access = {
  readonly headers: Record<string, string>;
  readonly dispatchers: Dispatchers;
  /** Grows when the credentials were loaded anew. */
  readonly generation: number;
};

const CONNECTIONS = 32;
const TTL_MS = 1_000;
const RENEW_INTERVAL_MS = 2_000;
/** An exec plugin may ask a person; longer than this it hangs. */
const CREDENTIALS_MS = 60_000;

function withDeadline<T>(work: Promise<T>, ms: number): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => reject(new KubeError(0, "Credentials", `no credentials within ${ms} ms`)),
    ms,
  );
  return Promise.race([work, promise]).finally(() => clearTimeout(timer));
}

/** Reads credentials as they change, and keeps one set of connections for as long as the TLS material is the same. */
export function openAccess(
  source: CredentialSource,
  options: { readonly connections?: number; readonly logger: Logger },
) {
  let fingerprint = "";
  let dispatchers: Dispatchers | undefined;
  let cached: { access: Promise<Access>; until: number } | undefined;
  let renewedAt = Number.NEGATIVE_INFINITY;
  let generation = 0;
  const opened = new Set<Dispatchers>();

  const resolve = async (): Promise<Access> => {
    const of = generation;
    const credentials = await withDeadline(source.read(), CREDENTIALS_MS).catch((err: unknown) => {
      if (err instanceof KubeError) throw err;
      throw new KubeError(0, "Credentials", "the credentials cannot be read", { cause: err });
    });
    if (dispatchers === undefined || credentials.fingerprint !== fingerprint) {
      const retired = dispatchers;
      dispatchers = openDispatchers(credentials.route, options.connections ?? CONNECTIONS);
      fingerprint = credentials.fingerprint;
      opened.add(dispatchers);
      if (retired !== undefined) {
        // What runs on the old connections may end there: a watch does so within minutes.
        void Promise.all([retired.requests.close(), retired.streams.close()])
          .catch(() => undefined)
          .finally(() => opened.delete(retired));
      }
    }
    return { headers: credentials.headers, dispatchers, generation: of };
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
    /** Forgets what the library keeps of tokens, after they were refused; false where another try can bring nothing new. */
    renew(refused: Access): boolean {
      if (refused.generation < generation) return true;
      const now = performance.now();
      if (now - renewedAt < RENEW_INTERVAL_MS) return false;
      renewedAt = now;
      try {
        source.reload();
      } catch (err) {
        options.logger.warn({ err }, "credentials not read again");
        return false;
      }
      cached = undefined;
      generation++;
      return true;
    },
    async destroy() {
      // In a turn of its own: a body that arrived in this one has no listener for its error yet, and that would end the process.
      await setImmediate();
      const all = [...opened].flatMap(({ requests, streams }) => [requests, streams]);
      await Promise.all(all.map((dispatcher) => dispatcher.destroy().catch(() => undefined)));
    },
  };
}
