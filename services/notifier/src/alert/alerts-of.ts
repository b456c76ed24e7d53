import type { ObjectId } from "@rollcast/shared/event-envelope";
import type { AlertRecord } from "../model/alert-record.ts";
import type { Alert, AlertSettings } from "./alert.ts";
import { RESEND_RESOLVED_MS } from "./alert.ts";

/** Severities as Alertmanager users write them in their routes. */
const KINDS = [
  { of: "failed", alertname: "RollcastRolloutFailed", severity: "critical" },
  { of: "stalled", alertname: "RollcastRolloutStalled", severity: "warning" },
] as const;

function labelsOf(workload: ObjectId, settings: AlertSettings): Record<string, string> {
  return {
    cluster: settings.cluster,
    namespace: workload.namespace,
    workload: workload.name,
    workload_type: workload.kind.toLowerCase(),
  };
}

/** The alerts of a record to send now: those that fire and those that were resolved recently. */
export function alertsOf(record: AlertRecord, settings: AlertSettings, now: number): Alert[] {
  return KINDS.flatMap(({ of, alertname, severity }) => {
    const { startsAt, endsAt, summary, description } = record[of];
    if (startsAt === undefined) return [];
    const until = endsAt ?? startsAt + settings.resolveAfterMs;
    if (now - until > RESEND_RESOLVED_MS) return [];
    return [
      {
        labels: { severity, ...settings.labels, alertname, ...labelsOf(record.workload, settings) },
        annotations: { summary, description },
        startsAt: new Date(startsAt).toISOString(),
        endsAt: new Date(Math.max(until, startsAt)).toISOString(),
        generatorURL: settings.generatorUrl,
      },
    ];
  });
}
