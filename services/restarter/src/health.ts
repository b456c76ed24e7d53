import type { Work } from "@rollcast/queue/worker";
import { firstFailure } from "@rollcast/runtime/health/liveness";
import type { HealthSource, HealthSources } from "@rollcast/runtime/health/service-health";
import type { Consuming } from "@rollcast/nats/consume";
import { consumerHealth } from "@rollcast/nats/consumer-health";
import type { Admission } from "./admission/admission.ts";
import type { Resync } from "./reconcile/resync.ts";
import type { RolloutQueue } from "./queue/rollout-queues.ts";
import { otherInstallationNotes } from "./events/other-installations.ts";
import type { OtherInstallations } from "./events/other-installations.ts";
import { failingNotes } from "./reconcile/reconciler.ts";
import type { Workqueue } from "@rollcast/async/workqueue";
import type { WorkloadKey } from "./model/workload.ts";
import type { WatchedKinds } from "./index/kinds.ts";

/** A queue and the worker of this replica. */
export type QueueWorker = {
  readonly queue: Pick<RolloutQueue, "queue" | "stalledMs">;
  readonly work: Pick<Work, "lastActive" | "inFlightMs" | "fault">;
};

export type CheckedParts = {
  readonly kinds: Pick<WatchedKinds, "ready" | "progress" | "notes">;
  readonly consumer: Pick<Consuming, "lastHeard" | "inFlightMs">;
  readonly resync: Pick<Resync, "inFlightMs">;
  readonly workers: readonly QueueWorker[];
  readonly workqueue: Pick<Workqueue<WorkloadKey>, "failing">;
  readonly admission: Pick<Admission, "isSynced" | "unreadable">;
  readonly others: Pick<OtherInstallations, "all" | "ownKeyId">;
};

function workersHealth(workers: readonly QueueWorker[], now: () => number): HealthSource {
  return {
    ready: () => firstFailure(workers.map(({ work }) => work.fault())),
    async progress() {
      const checks = workers.map(async ({ queue, work }) => {
        const idle = Math.min(await queue.stalledMs(), now() - work.lastActive());
        return [
          { what: `queue ${queue.queue}: a job is running`, ms: work.inFlightMs() },
          { what: `queue ${queue.queue}: jobs wait and none is started`, ms: idle },
        ];
      });
      return (await Promise.all(checks)).flat();
    },
  };
}

/** Nothing is decided without freezes and quota: every workload waits until they are listed. */
function controlGap({ isSynced }: Pick<Admission, "isSynced">): string | undefined {
  return isSynced() ? undefined : "the bucket control is being listed, nothing is rolled meanwhile";
}

/** A line behind the `ok` of `/readyz` while entries of the bucket `control` cannot be read. */
function controlNotes({ unreadable }: Pick<Admission, "unreadable">): string[] {
  if (unreadable.size === 0) return [];
  const keys = [...unreadable.keys()].join(", ");
  return [`not readable in the bucket control, so what they may hold back waits: ${keys}`];
}

/** How the parts of a restarter are. */
export function restarterHealth(parts: CheckedParts, now = Date.now): HealthSources {
  const { kinds, consumer, resync, workers, workqueue, admission, others } = parts;
  return {
    watch: kinds,
    events: consumerHealth(consumer, now),
    resync: { progress: () => [{ what: "a resync is running", ms: resync.inFlightMs() }] },
    reconcile: {
      ready: () => controlGap(admission),
      notes: () => [...failingNotes(workqueue), ...controlNotes(admission)],
    },
    installation: { notes: () => otherInstallationNotes(others) },
    worker: workersHealth(workers, now),
  };
}
