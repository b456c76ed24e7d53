import { eventOutcome } from "@rollcast/shared/events";
import type { RolloutEvent } from "@rollcast/shared/events";
import type { RouteLabels } from "./matcher.ts";
import { severityOf } from "../model/severity.ts";

export function labelsOf(event: RolloutEvent, cluster: string): RouteLabels {
  const { workload, cause, reason = "", queue = "" } = event.data;
  const { outcome } = eventOutcome(event.type);
  return {
    cluster,
    namespace: workload.namespace,
    kind: workload.kind,
    name: workload.name,
    workload: `${workload.kind}/${workload.namespace}/${workload.name}`,
    outcome,
    severity: severityOf(outcome),
    source: cause === undefined ? "" : `${cause.kind}/${cause.namespace}/${cause.name}`,
    reason,
    queue,
  };
}
