import { startService } from "../services.ts";
import type { Service, ServiceName } from "../services.ts";
import { SIGNING_SECRET, baseConfig } from "./base-config.ts";
import type { StartOptions } from "./harness-types.ts";
import type { OpenCluster } from "./open-cluster.ts";
import type { OpenServers } from "./open-servers.ts";

/** The processes of a harness, ended together. */
export type Processes = AsyncDisposable & {
  readonly services: readonly Service[];
  start(name: ServiceName, options?: StartOptions): Promise<Service>;
};

type Parts = {
  readonly cluster: OpenCluster | undefined;
  readonly servers: OpenServers;
  readonly natsUrl: () => string;
  readonly isShared: boolean;
};

/** What services find in their environment. */
function environment({ cluster, servers }: Parts): Record<string, string> {
  return {
    ...(cluster?.namespace === undefined ? {} : { ROLLCAST_NAMESPACE: cluster.namespace }),
    ...(servers.receiver === undefined ? {} : { TEST_SIGNING_SECRET: SIGNING_SECRET }),
  };
}

/** Starts processes of services on these parts; `config` is the harness's own configuration. */
export function openProcesses(parts: Parts, config: () => object): Processes {
  const { cluster, servers, natsUrl, isShared } = parts;
  const services: Service[] = [];
  const configOf = (
    name: ServiceName,
    more: object = {},
  ): { scope?: { namespaces?: readonly string[]; namespaceSelector?: string } } => ({
    ...baseConfig(cluster?.namespace),
    ...config(),
    ...servers.users?.identity(name),
    ...more,
  });
  return {
    services,
    async start(name, { wait = true, ...options } = {}) {
      const merged = configOf(name, options.config);
      // It would roll what other tests look at on the control plane that they share.
      const { namespaces = [], namespaceSelector = "" } = merged.scope ?? {};
      if (isShared && namespaces.length === 0 && namespaceSelector === "") {
        throw new Error("a scope without namespaces needs a control plane of its own");
      }
      const service = await startService(name, {
        ...options,
        config: merged,
        kubeconfig: options.kubeconfig ?? cluster?.kubeconfig,
        natsUrl: natsUrl(),
        redisUrl: servers.redis?.url,
        env: { ...environment(parts), ...options.env },
      });
      services.push(service);
      if (name === "provision") await service.exited;
      else if (wait) await service.waitReady();
      return service;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(services.map((service) => service[Symbol.asyncDispose]()));
    },
  };
}
