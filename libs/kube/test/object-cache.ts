import { join } from "node:path";
import { createLogger } from "@rollcast/runtime/logger";
import { writeKubeconfig } from "@rollcast/testkit/write-kubeconfig";
import type { ClusterAccess } from "@rollcast/testkit/write-kubeconfig";
import { tokenOf } from "@rollcast/testkit/users";
import { connectKube } from "../src/client.ts";
import type { KubeClient, KubeRequest } from "../src/client.ts";
import { startReflector } from "../src/reflector.ts";
import type { KubeObject, ReflectedResource, Reflector } from "../src/reflector.ts";
import type { ReflectorEvent, ReflectorTimes } from "../src/reflector-options.ts";

export const silent = createLogger("test", "silent");

/**
 * A client of `url` (a proxy, or the API server itself), as the admin; `requests` holds what it was
 * asked.
 */
export async function connectTo(
  cluster: ClusterAccess,
  url = cluster.url,
): Promise<KubeClient & { readonly requests: KubeRequest[] }> {
  const file = join(cluster.dir, `kube-${new URL(url).port}.kubeconfig`);
  const { caFile } = cluster;
  const kubeconfig = await writeKubeconfig(file, { url, caFile, token: tokenOf("admin") });
  const client = await connectKube({ logger: silent, kubeconfig });
  const requests: KubeRequest[] = [];
  return {
    ...client,
    requests,
    request(options) {
      requests.push(options);
      return client.request(options);
    },
    stream(options) {
      requests.push(options);
      return client.stream(options);
    },
    [Symbol.asyncDispose]: () => client[Symbol.asyncDispose](),
  };
}

type Item = { readonly name: string; readonly version: string; readonly value: string | undefined };

/** What a reflector has reported, put together as its handler is meant to. */
export type Cache = AsyncDisposable & {
  readonly reflector: Reflector;
  /** Name -> value of the key `v`. */
  values(): Record<string, string | undefined>;
  /** What the reflector did: `list`, `watch`, `failure`, `went-back`. */
  readonly did: readonly ReflectorEvent[];
  count(event: ReflectorEvent): number;
  /** Names that were taken away, in order. */
  readonly removed: readonly string[];
  /** Called for each item; may hold the reflector up. */
  onItem: ((name: string) => Promise<void>) | undefined;
};

/** Quick times for tests: no fault should take longer than it must. */
export const QUICK: Partial<ReflectorTimes> = {
  backoff: { initial: 50, max: 500 },
  silenceMs: 20_000,
};

export function startCache(
  client: KubeClient,
  resource: ReflectedResource,
  times: Partial<ReflectorTimes> = {},
): Cache {
  const items = new Map<string, Item>();
  const did: ReflectorEvent[] = [];
  const removed: string[] = [];
  let unseen = new Set<string>();
  const cache = {
    did,
    removed,
    onItem: undefined as Cache["onItem"],
    values: () => Object.fromEntries([...items].map(([name, { value }]) => [name, value])),
    count: (event: ReflectorEvent) => did.filter((name) => name === event).length,
  };
  const take = (name: string) => {
    if (items.delete(name)) removed.push(name);
  };
  const reflector = startReflector<Item>({
    client,
    resource,
    logger: silent,
    times: { ...QUICK, ...times },
    observe: (event) => did.push(event),
    transform: ({ metadata, data }: KubeObject) => ({
      name: metadata.name,
      version: metadata.resourceVersion,
      value: (data as Record<string, string> | undefined)?.v,
    }),
    handler: {
      listStarted() {
        unseen = new Set(items.keys());
      },
      async upsert(item) {
        await cache.onItem?.(item.name);
        unseen.delete(item.name);
        items.set(item.name, item);
      },
      removed: ({ name }) => take(name),
      listed() {
        for (const name of unseen) take(name);
      },
    },
  });
  return Object.assign(cache, {
    reflector,
    [Symbol.asyncDispose]: () => reflector[Symbol.asyncDispose](),
  });
}
