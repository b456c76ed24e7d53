import { z } from "zod";
import type { QueueLimits } from "@rollcast/shared/config/queues";
import type { LiveSettings } from "../model/control-entry.ts";

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
export type Settings = Omit<LiveSettings, "v" | "type" | "queue">;

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
