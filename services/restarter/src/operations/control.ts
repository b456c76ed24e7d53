import type { Config } from "@rollcast/shared/config/schema";
import type { Logger } from "@rollcast/runtime/logger";
import type { Nats } from "@rollcast/nats/connect";
import { openKv } from "@rollcast/nats/kv";
import { openKvCache } from "@rollcast/nats/kv-cache";
import { publish } from "@rollcast/nats/publish";
import { stableId } from "@rollcast/shared/events";
import { createOperations } from "./operations.ts";
import type { Operations } from "./operations.ts";
import { createAssignQueue } from "../model/queue-assignment.ts";
import type { Workload, WorkloadKey } from "../model/workload.ts";
import { ROLLCAST, createUpdater } from "./updater.ts";
import { ControlEntry } from "../model/control-entry.ts";
import type { Change } from "../model/control-entry.ts";
import { createAdmission, createQueueAssigner } from "../admission/admission.ts";
import type { Admission, QueueAssigner } from "../admission/admission.ts";
import { createQuotaStore } from "../admission/quota-store.ts";
import type { QuotaStore } from "../admission/quota-store.ts";
import { sourcesOf } from "./halts.ts";

/** Everything that controls rollouts at run time. */
export type Control = {
  readonly admission: Admission;
  readonly assigner: QueueAssigner;
  readonly quotaStore: QuotaStore;
  readonly operations: Operations;
  /** Removes what has expired. */
  expire(): Promise<void>;
  /**
   * Calls back with the key of changed settings, or of a queue whose quota changed, on any replica.
   */
  listen(listener: (key: string) => void): void;
};

export type ControlOptions = {
  readonly config: Pick<Config, "cluster" | "queues" | "queueAnnotation">;
  readonly nats: Nats;
  readonly workload: (key: WorkloadKey) => Workload | undefined;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  /** Fires when even jobs in progress must stop. */
  readonly ending: AbortSignal;
};

/** Opens the bucket `control`; resolves when all its records are cached. */
export async function openControl(options: ControlOptions): Promise<Control> {
  const { config, nats, workload, logger, signal, ending } = options;
  const { cluster, queues } = config;
  const { cache, kv } = await openKvCache({
    kv: await openKv(nats, "control", ControlEntry),
    filter: `${cluster}.>`,
    signal,
  });
  const quotaStore = createQuotaStore(cluster, kv, cache);
  const assigner = createQueueAssigner(createAssignQueue(config));
  const updater = {
    cluster,
    kv,
    cache,
    logger,
    publish: async (
      ...[subject, event]: Parameters<Parameters<typeof createUpdater>[0]["publish"]>
    ) => {
      await publish(nats, subject, event, ending);
    },
  };
  const { publishQueue } = createUpdater(updater);
  const halted = async (queue: string, changes: readonly Change[], failed: number) => {
    const id = stableId(cluster, queue, "halted", ...changes.map((change) => change.id));
    const sources = sourcesOf(changes);
    await publishQueue(id, "halted", { queue, by: ROLLCAST, sources, failed });
  };
  const admission = createAdmission({
    cluster,
    queues,
    cache,
    quotaStore,
    assigner,
    workload,
    halted,
  });
  const { expire, ...operations } = createOperations({ ...updater, queues, quotaStore, admission });
  return { admission, assigner, quotaStore, operations, expire, listen: cache.listen };
}
