import { DEFAULT_QUEUE } from "@rollcast/shared/config/queues";
import type { Queue } from "@rollcast/shared/config/queues";
import type { KvCache } from "@rollcast/nats/kv-cache";
import { clock } from "../clock.ts";
import type { AdmissionState } from "../decision/decision-input.ts";
import type { Workload, WorkloadKey } from "../model/workload.ts";
import { emptyState, freezeKey, settingsKey, stateKey } from "../model/control-entry.ts";
import type { Change, ControlEntry } from "../model/control-entry.ts";
import type { QuotaStore } from "./quota-store.ts";
import type { QueueAssigner } from "./queue-assigner.ts";
import { effective } from "./settings.ts";

export type AdmissionOptions = {
  readonly cluster: string;
  readonly queues: readonly Queue[];
  readonly cache: KvCache<ControlEntry>;
  readonly quotaStore: QuotaStore;
  readonly assigner: QueueAssigner;
  readonly workload: (key: WorkloadKey) => Workload | undefined;
  /** The failures of one change have reached the queue's limit. */
  readonly halted: (queue: string, changes: readonly Change[], failed: number) => Promise<void>;
};

function lasts(until: number | undefined): boolean {
  return until === undefined || until > clock();
}

export function createAdmissionReader(options: AdmissionOptions) {
  const { cluster, cache, assigner } = options;
  const queues = new Map(options.queues.map((queue) => [queue.name, queue]));
  const fileOf = (name: string): Queue => {
    // A record may name a queue that is no longer configured.
    const queue = queues.get(name) ?? queues.get(DEFAULT_QUEUE);
    if (queue === undefined) throw new Error("the configuration has no default queue");
    return queue;
  };
  const state = (queue: string) => {
    const entry = cache.get(stateKey(cluster, queue))?.value;
    return entry?.type === "state" ? entry : emptyState(queue);
  };
  const settings = (queue: string) => {
    const entry = cache.get(settingsKey(cluster, queue))?.value;
    return effective(fileOf(queue), entry?.type === "settings" ? entry : undefined, clock());
  };
  /** The freeze that lasts longest. */
  const frozen = ({ kind, namespace, name }: Workload): AdmissionState["frozen"] => {
    const scopes = [
      { level: "cluster" },
      { level: "namespace", namespace },
      { level: "workload", kind, namespace, name },
    ] as const;
    const freezes = scopes
      .map((scope) => cache.get(freezeKey(cluster, scope))?.value)
      .filter((entry) => entry?.type === "freeze")
      .filter((freeze) => lasts(freeze.until));
    if (freezes.length === 0) return undefined;
    const until = Math.max(...freezes.map((freeze) => freeze.until ?? Number.POSITIVE_INFINITY));
    return Number.isFinite(until) ? { until } : {};
  };
  const queueOf = (workload: Workload) => assigner.of(workload).queue;
  return { fileOf, state, settings, frozen, queueOf };
}
