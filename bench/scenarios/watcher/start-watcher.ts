import { join } from "node:path";
import type { Cluster } from "@rollcast/testkit/cluster";
import type { NatsServer } from "@rollcast/testkit/nats";
import { startService } from "@rollcast/testkit/services";
import type { Service } from "@rollcast/testkit/services";
import type { Subject } from "../../lab/scenario.ts";

/** A watcher of the whole cluster, which logs its memory on SIGUSR2. */
export async function startWatcher(
  { images, limit, nodeOptions }: Subject,
  { cluster, nats, namespace }: { cluster: Cluster; nats: NatsServer; namespace: string },
): Promise<Service> {
  const probe = join(import.meta.dirname, "memory-probe.mjs");
  const image = await images.start("watcher", {
    cluster,
    user: "admin",
    limit,
    more: [...nodeOptions, `--import=${probe}`],
  });
  const config = { apiVersion: "rollcast.dev/v1", kind: "Config", cluster: "bench" };
  return startService("watcher", {
    ...image,
    config: { ...config, log: { level: "debug" } },
    natsUrl: nats.url,
    env: { ...image.env, ROLLCAST_NAMESPACE: namespace },
  });
}
