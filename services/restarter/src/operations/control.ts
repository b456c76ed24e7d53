import type { Config } from "@rollcast/shared/config/schema";
import type { Logger } from "@rollcast/runtime/logger";
import type { Nats } from "@rollcast/nats/connect";
import { openKv } from "@rollcast/nats/kv";
import { openKvCache } from "@rollcast/nats/kv-cache";
import { publish } from "@rollcast/nats/publish";
import type { Failpoint } from "../failpoints.ts";
import { createOperations } from "./operations.ts";
import type { Operations } from "./operations.ts";
import { createAssignQueue } from "../model/queue-assignment.ts";
import type { Workload, WorkloadKey } from "../model/workload.ts";
import { createOperationOutbox } from "./operation-outbox.ts";
import { ControlEntry } from "../model/control-entry.ts";
import { createAdmission, createQueueAssigner } from "../admission/admission.ts";
import type { Admission, QueueAssigner } from "../admission/admission.ts";
import { createQuotaStore } from "../admission/quota-store.ts";
import type { QuotaStore } from "../admission/quota-store.ts";

/** Everything that controls rollouts at run time. */
export type Control = {
  readonly admission: Admission;
  readonly assigner: QueueAssigner;
  readonly quotaStore: QuotaStore;
  readonly operations: Operations;
  /** Removes what has expired. */
  expire(): Promise<void>;
  /** Publishes events of operations that the replica which made them has left for too long. */
  flushOverdue(): void;
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
  readonly failpoint: (name: Failpoint) => void;
};

/** Opens the bucket `control`; resolves when all its records are cached. */
export async function openControl(options: ControlOptions): Promise<Control> {
  const { config, nats, workload, logger, signal, ending, failpoint } = options;
  const { cluster, queues } = config;
  const { cache, kv } = await openKvCache({
    kv: await openKv(nats, "control", ControlEntry),
    filter: `${cluster}.>`,
    signal,
    // Jobs in progress still decide by it.
    until: ending,
  });
  const outbox = createOperationOutbox({
    cluster,
    kv,
    cache,
    publish: async (subject, event) => void (await publish(nats, subject, event, ending)),
    logger,
    failpoint,
  });
  const { flush, flushOverdue } = outbox;
  const quotaStore = createQuotaStore({ cluster, kv, cache, flush });
  const assigner = createQueueAssigner(createAssignQueue(config));
  const admission = createAdmission({ cluster, queues, cache, quotaStore, assigner, workload });
  const parts = { cluster, kv, cache, outbox, logger, queues, quotaStore, admission };
  const { expire, ...operations } = createOperations(parts);
  const { listen } = cache;
  return { admission, assigner, quotaStore, operations, expire, flushOverdue, listen };
}
