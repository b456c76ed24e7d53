import type { ObjectId, RolloutEvent } from "@rollcast/shared/events";
import type { AlertRecord, AlertState } from "../model/alert-record.ts";
import { outcomeOf } from "../message/facts.ts";

/** An alert as `POST /api/v2/alerts` takes it. https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml (postableAlert) */
export type Alert = {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** RFC 3339. */
  readonly startsAt: string;
  readonly endsAt: string;
  readonly generatorURL?: string;
};

/** What an alert says for people. */
export type AlertText = { readonly summary: string; readonly description: string };

/** Outcomes that an Alertmanager is told of; others change no alert. */
export const ALERT_OUTCOMES: ReadonlySet<string> = new Set([
  "failed",
  "stalled",
  "succeeded",
  "superseded",
  "cancelled",
]);

/** How long an end is told again, for an Alertmanager that was away: as Prometheus does. */
const RESEND_RESOLVED_MS = 15 * 60_000;
/** How long it is remembered that all was well. */
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
  // Between two failures all was well: the alert began with the newer one.
  return at < firedAt
    ? { ...cleared, startsAt: at < startsAt ? startsAt : firedAt }
    : { ...cleared, endsAt: at };
}

/**
 * The record after an event: a failure fires until the workload was rolled out, a stall until its rollout came to an end. Events may come in any order; the time they
 * carry decides.
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
      return { ...record, at: now, stalled: clear(stalled, at) };
    default:
      return record;
  }
}

/** Whether the record is of no use any more: nothing fires, or for too long, and nothing older can be under way. */
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
  /** Put on every alert, before those of the workload. */
  readonly labels: Readonly<Record<string, string>>;
  readonly generatorUrl: string | undefined;
  /** When an alert ends that nobody ended, from its start; milliseconds. */
  readonly resolveAfterMs: number;
};

/** Alertmanager's own words for how bad it is, as its users write them in routes. */
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

/** The alerts that a record stands for now: those that fire, and those that ended lately. */
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
        ...(settings.generatorUrl === undefined ? {} : { generatorURL: settings.generatorUrl }),
      },
    ];
  });
}
