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
): (decided: OutboxEvent) => Promise<void> {
  return async (decided) => {
    const parts = { id: decided.id, cluster, service: "restarter", time: decided.time };
    const workload = index.get(workloadKey(decided.data.workload));
    const data = { ...decided.data, ...notifyOf(workload?.annotations) };
    const event = rolloutEvent(parts, decided.outcome, data);
    const subject = rolloutSubject(cluster, decided.outcome, decided.data.workload);
    await publish(nats, subject, { ...event, ...carried(), ...tracedBy(decided) }, signal);
  };
}
