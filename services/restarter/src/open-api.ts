import type { Consuming } from "@rollcast/nats/consume";
import { DEFAULT_QUEUE } from "@rollcast/shared/config/queues";
import { describeSelf } from "./api/self.ts";
import type { Created, RestarterHost } from "./create-context.ts";
import type { WatchedKinds } from "./index/kinds.ts";
import { splitKey } from "./model/workload.ts";
import type { RolloutQueues } from "./queue/rollout-queues.ts";

type Parts = {
  readonly queues: RolloutQueues;
  readonly kinds: WatchedKinds;
  readonly consumer: Consuming;
};

/** Opens the HTTP API where the configuration has one. */
export async function openApiIfConfigured(
  host: RestarterHost,
  { ctx, control, others, instance }: Created,
  { queues, kinds, consumer }: Parts,
): Promise<void> {
  const { config, health, metrics, nats, stack } = host;
  if (config.restarter.api === undefined) return;
  const { stalled } = health;
  const gap = () => (ctx.admission.isSynced() ? undefined : "nats: a bucket is not listed yet");
  // Loaded only if enabled: the API schemas take megabytes.
  const { openRestarterApi } = await import("./api/start-api.ts");
  const api = await openRestarterApi({
    ctx,
    operations: control.operations,
    others,
    nats,
    config: config.restarter.api,
    metrics,
    fault: () => nats.fault() ?? queues.fault() ?? gap(),
    queueOf: (workload) =>
      workload === undefined ? DEFAULT_QUEUE : control.admission.queueOf(workload),
    enqueueJob: (key) => queues.of(ctx.index.get(key)).enqueueNow(splitKey(key)),
    self: () => describeSelf({ instance, nats, consumer, kinds, queues, stalled }),
  });
  stack.use(api);
}
