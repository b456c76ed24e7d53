import type { KubeClient } from "@rollcast/kube/client";
import type { Host } from "@rollcast/host/host";
import { EVENT_STREAM } from "@rollcast/nats/streams";
import { waitProvisioned } from "@rollcast/nats/wait-provisioned";
import { openFailpoints } from "@rollcast/runtime/failpoints";
import { obtainKey } from "./store/installation-key.ts";
import { watchSources } from "./watch-sources.ts";

export type WatcherHost = Host & { readonly kube: KubeClient };

/** Starts the watcher in its host. */
export async function startWatcher(host: WatcherHost): Promise<void> {
  const { config, env, kube: client, logger, metrics, nats, signal, stack } = host;
  const uses = { streams: [EVENT_STREAM], buckets: ["sources"] } as const;
  await waitProvisioned(nats, config.nats.replicas, uses, signal);
  const { file } = config.installationKey ?? {};
  const key = await obtainKey({ file, client, env, logger, signal });
  logger.info({ server: client.server, keyId: key.id, scope: config.scope }, "watching sources");
  const failpoint = openFailpoints(env);
  const watch = stack.use(
    await watchSources({ config, logger, metrics, nats, client, key, failpoint, signal }),
  );
  host.health.add({ watch: watch.health });
}
