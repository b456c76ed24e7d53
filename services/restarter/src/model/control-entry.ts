import { stableId } from "@rollcast/shared/events";
import type { SourceRecord } from "@rollcast/shared/records";
import { z } from "zod";
import type { ObjectId } from "@rollcast/shared/event-envelope";
import {
  FreezeData,
  FreezeOutcome,
  FreezeScope,
  QueueData,
  QueueOutcome,
} from "@rollcast/shared/operation-events";
import { encodeToken, freezeTokens } from "@rollcast/shared/subjects";
import type { QueueLimits } from "@rollcast/shared/config/queues";
import type { SourceKey } from "./content.ts";

/**
 * Operator settings and running rollouts: records of the KV bucket `control`, one per queue or
 * frozen scope. Times are milliseconds since the epoch.
 */
const Origin = { by: z.string(), at: z.number(), until: z.number().optional() };

const Decided = { id: z.string(), time: z.number() };
/** What a write of an entry is to publish, always under one id. */
export const OperationEvent = z.discriminatedUnion("domain", [
  z.object({ domain: z.literal("queue"), ...Decided, outcome: QueueOutcome, data: QueueData }),
  z.object({ domain: z.literal("freeze"), ...Decided, outcome: FreezeOutcome, data: FreezeData }),
]);
export type OperationEvent = z.infer<typeof OperationEvent>;

/** Events that must still be published, oldest first; unset: none. */
const Outbox = { outbox: z.array(OperationEvent).optional() };

function setting<T extends z.ZodType>(value: T) {
  return z.object({ value, ...Origin }).optional();
}

/** No rollout begins in this scope until `until`, or until the freeze is removed. */
export const Freeze = z.object({
  v: z.literal(1),
  type: z.literal("freeze"),
  scope: FreezeScope,
  comment: z.string().optional(),
  ...Origin,
  ...Outbox,
});
export type Freeze = z.infer<typeof Freeze>;

const RateLimit = z.object({ max: z.number(), per: z.number() });

/** Live settings of a queue. Each overrides the configured one until it expires; null: no limit. */
const LiveSettings = z.object({
  v: z.literal(1),
  type: z.literal("settings"),
  queue: z.string(),
  concurrency: setting(z.number()),
  rateLimit: setting(RateLimit.nullable()),
  maxRolling: setting(z.number().nullable()),
  maxRollingPerNamespace: setting(z.number().nullable()),
  paused: setting(z.literal(true)),
  ...Outbox,
});
export type LiveSettings = z.infer<typeof LiveSettings>;

/** One change of one source. */
export const Change = z.object({ source: z.string(), id: z.string() });
export type Change = z.infer<typeof Change>;

/** Failed rollouts that brought exactly these changes. */
const Failures = z.object({ changes: z.array(Change), rollouts: z.array(z.string()) });
export type Failures = z.infer<typeof Failures>;

const QuotaUse = z.object({ rollout: z.string(), since: z.number(), changes: z.array(z.string()) });
export type QuotaUse = z.infer<typeof QuotaUse>;

/**
 * The workloads that use quota of a queue, by `<kind>/<namespace>/<name>`, and the changes that
 * failed.
 */
const QueueState = z.object({
  v: z.literal(1),
  type: z.literal("state"),
  queue: z.string(),
  rolling: z.record(z.string(), QuotaUse),
  failures: z.array(Failures),
  /** The newest rollouts that have counted as failed, and do so no longer. */
  counted: z.array(z.string()).optional(),
  /** The ids of each set of changes whose halt is published and lasts. */
  halted: z.array(z.array(z.string())).optional(),
  ...Outbox,
});
export type QueueState = z.infer<typeof QueueState>;

export const ControlEntry = z.discriminatedUnion("type", [Freeze, LiveSettings, QueueState]);
export type ControlEntry = z.infer<typeof ControlEntry>;

export function emptyState(queue: string): QueueState {
  return { v: 1, type: "state", queue, rolling: {}, failures: [] };
}

const MAX_COUNTED = 100;

const rolloutsOf = (failures: readonly Failures[]) => failures.flatMap(({ rollouts }) => rollouts);

/**
 * The state with these failures; rollouts that were among them never count again: after a crash
 * their event is published once more.
 */
export function withFailures(state: QueueState, failures: readonly Failures[]): QueueState {
  const left = new Set(rolloutsOf(failures));
  const gone = rolloutsOf(state.failures).filter((id) => !left.has(id));
  const next = { ...state, failures: [...failures] };
  if (gone.length === 0) return next;
  return { ...next, counted: [...(state.counted ?? []), ...gone].slice(-MAX_COUNTED) };
}

export function freezeKey(cluster: string, scope: FreezeScope): string {
  return `${encodeToken(cluster)}.freeze.${freezeTokens(scope)}`;
}

export function settingsKey(cluster: string, queue: string): string {
  return `${encodeToken(cluster)}.settings.${encodeToken(queue)}`;
}

export function stateKey(cluster: string, queue: string): string {
  return `${encodeToken(cluster)}.state.${encodeToken(queue)}`;
}

export function isStateKey(key: string): boolean {
  return key.split(".")[1] === "state";
}

/** The author of changes that Rollcast makes by itself. */
export const ROLLCAST = "rollcast";

const ID_LENGTH = 16;

/**
 * The last change of each source. Different content, or the same content again later, is a new
 * change.
 */
export function changesOf(
  sources: ReadonlyMap<SourceKey, SourceRecord | undefined>,
  keys: readonly SourceKey[],
): Change[] {
  return keys.toSorted().flatMap((key) => {
    const source = sources.get(key);
    if (source === undefined) return [];
    const digests = JSON.stringify(Object.entries(source.digests).toSorted());
    const time = source.changedAt ?? source.createdAt;
    const id = stableId(key, source.uid, String(time), digests).slice(0, ID_LENGTH);
    return [{ source: key, id }];
  });
}

const MAX_SOURCES = 20;

/** The sources of changes, as events list them. */
export function sourcesOf(changes: readonly Change[]): ObjectId[] {
  const keys = [...new Set(changes.map(({ source }) => source))].slice(0, MAX_SOURCES);
  return keys.map((key) => {
    const [kind = "", namespace = "", name = ""] = key.split("/");
    return { kind, namespace, name };
  });
}

const bound = z.number().int().min(1).max(1_000);

/** The live settings; null: no limit. `per` in milliseconds. */
export const LiveLimits = z
  .strictObject({
    concurrency: bound,
    rateLimit: z
      .strictObject({
        max: z.number().int().min(1).max(100_000),
        per: z.number().int().min(100).max(86_400_000),
      })
      .nullable(),
    maxRolling: bound.nullable(),
    maxRollingPerNamespace: bound.nullable(),
  })
  .partial();
export type LiveLimits = z.infer<typeof LiveLimits>;

/** The settings of a queue in effect now. Unset: no limit. */
export type Effective = {
  readonly concurrency: number;
  readonly rateLimit?: { readonly max: number; readonly per: number };
  readonly maxRolling?: number;
  readonly maxRollingPerNamespace?: number;
  readonly paused?: { readonly until?: number };
};

/** The names of settings that can be overridden. */
export const SETTINGS = [
  "concurrency",
  "rateLimit",
  "maxRolling",
  "maxRollingPerNamespace",
  "paused",
] as const;
type SettingName = (typeof SETTINGS)[number];

/** Live settings by name. */
export type Settings = Omit<LiveSettings, "v" | "type" | "queue" | "outbox">;

/** Whether nothing is set. */
export function isEmpty(settings: Settings): boolean {
  return SETTINGS.every((name) => settings[name] === undefined);
}

/** The settings that have not expired at `now`. */
export function lasting(settings: Settings | undefined, now: number): Settings {
  const kept: Partial<Record<SettingName, unknown>> = {};
  for (const name of SETTINGS) {
    const setting = settings?.[name];
    if (setting !== undefined && (setting.until === undefined || setting.until > now))
      kept[name] = setting;
  }
  return kept as Settings;
}

/** The configured limits overridden by the live ones, as of `now` (ms since the epoch). Pure. */
export function effective(
  file: QueueLimits,
  settings: Settings | undefined,
  now: number,
): Effective {
  const live = lasting(settings, now);
  const pick = <T>(over: { value: T | null } | undefined, own: T | undefined): T | undefined =>
    over === undefined ? own : (over.value ?? undefined);
  const rateLimit = pick(live.rateLimit, file.rateLimit);
  const maxRolling = pick(live.maxRolling, file.maxRolling);
  const perNamespace = pick(live.maxRollingPerNamespace, file.maxRollingPerNamespace);
  const { paused } = live;
  return {
    concurrency: live.concurrency?.value ?? file.concurrency,
    rateLimit,
    maxRolling,
    maxRollingPerNamespace: perNamespace,
    paused: paused && { until: paused.until },
  };
}
