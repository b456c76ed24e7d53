import type { Config } from "@rollcast/shared/config/schema";
import type { Logger } from "@rollcast/runtime/logger";
import type { Nats } from "@rollcast/nats/connect";
import { openKv } from "@rollcast/nats/kv";
import { publish } from "@rollcast/nats/publish";
import { stableId } from "@rollcast/shared/events";
import { createOperations } from "./operations.ts";
import type { Operations } from "./operations.ts";
import { createPlacing } from "../model/queue-assignment.ts";
import type { Workload, WorkloadKey } from "../model/workload.ts";
import { ITSELF, createAmending } from "./update.ts";
import { ControlEntry } from "../model/control-entry.ts";
import type { Change } from "../model/control-entry.ts";
import { createGates } from "../admission/admission.ts";
import type { GateKeeper } from "../admission/admission.ts";
import { createKeeper } from "../admission/quota-store.ts";
import type { Keeper } from "../admission/quota-store.ts";
import { openMirror } from "../admission/kv-cache.ts";
import { sourcesOf } from "./halts.ts";
import { createNamespacePlacing } from "../admission/namespace-assignment.ts";
import type { Placing } from "../admission/namespace-assignment.ts";

/** Everything about how rollouts are steered while running. */
export type Control = {
  readonly gates: GateKeeper;
  readonly placing: Placing;
  readonly keeper: Keeper;
  readonly operations: Operations;
  /** Takes back what has ended by itself. */
  expire(): Promise<void>;
  /** Calls back with the key of what was steered, or of a queue whose slots changed, here or elsewhere. */
  listen(listener: (key: string) => void): void;
};

export type ControlOptions = {
  readonly config: Pick<Config, "cluster" | "queues" | "queueAnnotation">;
  readonly nats: Nats;
  readonly workload: (key: WorkloadKey) => Workload | undefined;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  /** Fires when even work in hand is not to be finished any more. */
  readonly ending: AbortSignal;
};

/** Opens the bucket `control`; resolves when everything that was set in it is known. */
export async function openControl(options: ControlOptions): Promise<Control> {
  const { config, nats, workload, logger, signal, ending } = options;
  const { cluster, queues } = config;
  const kv = await openKv(nats, "control", ControlEntry);
  const mirror = await openMirror({ kv, filter: `${cluster}.>`, signal, logger });
  const keeper = createKeeper(cluster, kv, mirror);
  const placing = createNamespacePlacing(createPlacing(config));
  const amending = {
    cluster,
    kv,
    mirror,
    logger,
    publish: async (
      ...[subject, event]: Parameters<Parameters<typeof createAmending>[0]["publish"]>
    ) => {
      await publish(nats, subject, event, ending);
    },
  };
  const { tellQueue } = createAmending(amending);
  const halted = async (queue: string, changes: readonly Change[], failed: number) => {
    const id = stableId(cluster, queue, "halted", ...changes.map((one) => one.id));
    const sources = sourcesOf(changes);
    await tellQueue(id, "halted", { queue, by: ITSELF, sources, failed });
  };
  const gates = createGates({ cluster, queues, mirror, keeper, placing, workload, halted });
  const { expire, ...operations } = createOperations({ ...amending, queues, keeper, gates });
  return { gates, placing, keeper, operations, expire, listen: mirror.listen };
}
