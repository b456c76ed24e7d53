import type { ObjectId } from "@rollcast/shared/event-envelope";
import type { RolloutEvent } from "@rollcast/shared/events";
import { outcomeOf } from "../message/message.ts";
import type { AlertRecord, AlertState } from "../model/alert-record.ts";

/**
 * An alert in the body of `POST /api/v2/alerts`.
 * https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml (postableAlert)
 */
export type Alert = {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** RFC 3339. */
  readonly startsAt: string;
  readonly endsAt: string;
  readonly generatorURL?: string;
};

/** The human-readable part of an alert. */
export type AlertText = { readonly summary: string; readonly description: string };

/** Outcomes that fire or resolve an alert; all others are ignored. */
export const ALERT_OUTCOMES: ReadonlySet<string> = new Set([
  "failed",
  "stalled",
  "succeeded",
  "superseded",
  "cancelled",
]);

/**
 * How long a resolved alert is resent, for an Alertmanager that was down: the same as in
 * Prometheus.
 */
export const RESEND_RESOLVED_MS = 15 * 60_000;

/** How long a record is kept after its last change, so that a late, older failure does not fire. */
const KEEP_MS = 2 * 3_600_000;

const NO_ALERT: AlertState = { summary: "", description: "" };

function isFiring({ startsAt, endsAt }: AlertState): boolean {
  return startsAt !== undefined && endsAt === undefined;
}

function fire(state: AlertState, at: number, text: AlertText): AlertState {
  const { startsAt = at, firedAt = at, clearedAt } = state;
  if (at <= (clearedAt ?? 0)) return state;
  const cleared = clearedAt === undefined ? {} : { clearedAt };
  if (!isFiring(state)) return { ...text, startsAt: at, firedAt: at, ...cleared };
  const newest = at >= firedAt ? text : { summary: state.summary, description: state.description };
  const firing = { startsAt: Math.min(startsAt, at), firedAt: Math.max(firedAt, at) };
  return { ...newest, ...firing, ...cleared };
}

function clear(state: AlertState, at: number): AlertState {
  const { startsAt = 0, firedAt = 0, clearedAt = 0 } = state;
  if (at <= clearedAt) return state;
  const cleared = { ...state, clearedAt: at };
  if (!isFiring(state)) return cleared;
  // The workload was healthy between the two failures, so the alert starts with the newer one.
  return at < firedAt
    ? { ...cleared, startsAt: at < startsAt ? startsAt : firedAt }
    : { ...cleared, endsAt: at };
}

/**
 * Applies an event to the record. A failure fires until the workload has rolled out, a stall until
 * its rollout has ended. Events may arrive in any order: their timestamps decide.
 */
export function foldAlert(
  before: AlertRecord | undefined,
  event: RolloutEvent,
  about: { receiver: string; text: AlertText; now: number },
): AlertRecord {
  const { kind, namespace, name } = event.data.workload;
  const { receiver, text, now } = about;
  const record: AlertRecord = before ?? {
    v: 1,
    type: "alert",
    receiver,
    workload: { kind, namespace, name },
    failed: NO_ALERT,
    stalled: NO_ALERT,
    at: now,
  };
  const at = Date.parse(event.time);
  const { failed, stalled } = record;
  switch (outcomeOf(event)) {
    case "failed":
      return { ...record, at: now, failed: fire(failed, at, text), stalled: clear(stalled, at) };
    case "stalled":
      return { ...record, at: now, stalled: fire(stalled, at, text) };
    case "succeeded":
    case "cancelled":
      return { ...record, at: now, failed: clear(failed, at), stalled: clear(stalled, at) };
    case "superseded":
      // Only planned: a rollout that stalls goes on.
      if (event.data.rollout === undefined) return record;
      return { ...record, at: now, stalled: clear(stalled, at) };
    default:
      return record;
  }
}

/**
 * Whether the record can be removed: nothing fires, or it has fired for too long, and no older
 * event can still arrive.
 */
export function isSpent(
  { failed, stalled, at }: AlertRecord,
  { resolveAfterMs }: Pick<AlertSettings, "resolveAfterMs">,
  now: number,
): boolean {
  const fires = (state: AlertState) =>
    isFiring(state) && now - (state.startsAt ?? 0) <= resolveAfterMs + RESEND_RESOLVED_MS;
  return !fires(failed) && !fires(stalled) && now - at > KEEP_MS;
}

export type AlertSettings = {
  readonly cluster: string;
  /** Added to every alert; the workload's own labels take precedence. */
  readonly labels: Readonly<Record<string, string>>;
  readonly generatorUrl: string | undefined;
  /** How long after its start an alert resolves on its own; milliseconds. */
  readonly resolveAfterMs: number;
};

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
