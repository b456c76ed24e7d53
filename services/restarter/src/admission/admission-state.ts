import { DEFAULT_QUEUE } from "@rollcast/shared/config/queues";
import type { Queue } from "@rollcast/shared/config/queues";
import { clock } from "../clock.ts";
import type { Gates } from "../decision/decision-input.ts";
import type { Workload, WorkloadKey } from "../model/workload.ts";
import { emptyState, freezeKey, overrideKey, stateKey } from "../model/control-entry.ts";
import type { Change, ControlEntry } from "../model/control-entry.ts";
import type { Keeper } from "./quota-store.ts";
import type { Mirror } from "./kv-cache.ts";
import type { Placing } from "./namespace-assignment.ts";
import { effective } from "./settings.ts";

export type GateOptions = {
  readonly cluster: string;
  readonly queues: readonly Queue[];
  readonly mirror: Mirror<ControlEntry>;
  readonly keeper: Keeper;
  readonly placing: Placing;
  readonly workload: (key: WorkloadKey) => Workload | undefined;
  /** The failures of one change have reached the queue's bound. */
  readonly halted: (queue: string, changes: readonly Change[], failed: number) => Promise<void>;
};

function lasts(until: number | undefined): boolean {
  return until === undefined || until > clock();
}

export function createReading(options: GateOptions) {
  const { cluster, mirror, placing } = options;
  const queues = new Map(options.queues.map((queue) => [queue.name, queue]));
  const fileOf = (name: string): Queue => {
    // A record may name a queue that the file has no more.
    const queue = queues.get(name) ?? queues.get(DEFAULT_QUEUE);
    if (queue === undefined) throw new Error("the configuration has no default queue");
    return queue;
  };
  const state = (queue: string) => {
    const found = mirror.get(stateKey(cluster, queue))?.value;
    return found?.type === "state" ? found : emptyState(queue);
  };
  const settings = (queue: string) => {
    const found = mirror.get(overrideKey(cluster, queue))?.value;
    return effective(fileOf(queue), found?.type === "override" ? found : undefined, clock());
  };
  /** The freeze that holds longest. */
  const frozen = ({ kind, namespace, name }: Workload): Gates["frozen"] => {
    const scopes = [
      { level: "cluster" },
      { level: "namespace", namespace },
      { level: "workload", kind, namespace, name },
    ] as const;
    const found = scopes
      .map((scope) => mirror.get(freezeKey(cluster, scope))?.value)
      .filter((one) => one?.type === "freeze")
      .filter((one) => lasts(one.until));
    if (found.length === 0) return undefined;
    const until = Math.max(...found.map((one) => one.until ?? Number.POSITIVE_INFINITY));
    return Number.isFinite(until) ? { until } : {};
  };
  const queueOf = (workload: Workload) => placing.of(workload).queue;
  return { fileOf, state, settings, frozen, queueOf };
}
