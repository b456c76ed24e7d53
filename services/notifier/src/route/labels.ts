import { eventWord } from "@rollcast/shared/events";
import type { RolloutEvent } from "@rollcast/shared/events";
import type { Labels } from "./matcher.ts";
import { severityOf } from "../model/severity.ts";

export function labelsOf(event: RolloutEvent, cluster: string): Labels {
  const { workload, cause, reason = "", queue = "" } = event.data;
  const { word } = eventWord(event.type);
  return {
    cluster,
    namespace: workload.namespace,
    kind: workload.kind,
    name: workload.name,
    workload: `${workload.kind}/${workload.namespace}/${workload.name}`,
    outcome: word,
    severity: severityOf(word),
    source: cause === undefined ? "" : `${cause.kind}/${cause.namespace}/${cause.name}`,
    reason,
    queue,
  };
}
