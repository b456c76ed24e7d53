import type { Nats } from "@rollcast/nats/connect";
import { publish } from "@rollcast/nats/publish";
import { carried } from "@rollcast/runtime/trace";
import { rolloutEvent } from "@rollcast/shared/event-builders";
import { rolloutSubject } from "@rollcast/shared/subjects";
import type { WorkloadIndex } from "../index/workload-index.ts";
import { workloadKey } from "../model/workload.ts";
import type { OutboxEvent } from "../model/workload-record.ts";
import { notifyOf } from "./notify.ts";
import { tracedBy } from "./spans.ts";

/** Publishes outcomes as events; resolves when the stream has stored the event. */
export function createOutcomePublisher(
  nats: Nats,
  cluster: string,
  index: Pick<WorkloadIndex, "get">,
  signal: AbortSignal,
): (outcome: OutboxEvent) => Promise<void> {
  return async (outcome) => {
    const parts = { id: outcome.id, cluster, service: "restarter", time: outcome.time };
    const workload = index.get(workloadKey(outcome.data.workload));
    const data = { ...outcome.data, ...notifyOf(workload?.annotations) };
    const event = rolloutEvent(parts, outcome.outcome, data);
    const subject = rolloutSubject(cluster, outcome.outcome, outcome.data.workload);
    await publish(nats, subject, { ...event, ...carried(), ...tracedBy(outcome) }, signal);
  };
}
