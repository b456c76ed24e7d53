import type { Host } from "@rollcast/host/host";
import { openKv } from "@rollcast/nats/kv";
import type { JetStreamResources } from "@rollcast/nats/provision";
import { DEAD_LETTER_STREAM, EVENT_STREAM } from "@rollcast/nats/streams";
import { waitProvisioned } from "@rollcast/nats/wait-provisioned";
import { openFailpoints } from "@rollcast/runtime/failpoints";
import type { Context } from "./context.ts";
import { createNotifierMetrics } from "./metrics.ts";
import { NotifyRecord } from "./model/notify-record.ts";
import { openDeliveryQueues } from "./queue/delivery-queues.ts";
import type { DeliveryQueues } from "./queue/delivery-queues.ts";
import { openReceiverReloader } from "./receiver-reloader.ts";
import type { ReceiverReloader } from "./receiver-reloader.ts";
import { createPacer } from "./receivers/slack-api.ts";

const USES: JetStreamResources = {
  streams: [EVENT_STREAM, DEAD_LETTER_STREAM],
  buckets: ["notify"],
};

/** The context, and what only the startup of the notifier needs. */
export type Created = {
  readonly ctx: Context;
  readonly queues: DeliveryQueues;
  readonly reloader: ReceiverReloader;
};

/** Waits for the streams and the bucket, opens receivers and queues, and creates the context. */
export async function createContext(host: Host): Promise<Created> {
  const { config, env, logger, metrics, nats, signal, stack } = host;
  const { cluster } = config;
  await waitProvisioned(nats, config.nats.replicas, USES, signal);
  const records = await openKv(nats, "notify", NotifyRecord);
  const own = { cluster, records, logger, failpoint: openFailpoints(env) };
  const reloader = stack.use(
    await openReceiverReloader(config, { ...own, env, pace: createPacer() }),
  );
  const queues = stack.use(await openDeliveryQueues({ ...config.redis, cluster, logger }));
  const { registry } = reloader;
  const ctx: Context = {
    ...own,
    nats,
    registry,
    jobs: queues.jobs,
    metrics: createNotifierMetrics(metrics, () => registry.circuits),
  };
  return { ctx, queues, reloader };
}
