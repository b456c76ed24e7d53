import { z } from "zod";
import { ObjectId } from "@rollcast/shared/event-envelope";

/** One alert of a workload. Times in milliseconds since the epoch. */
export const AlertState = z.object({
  /** Since when it fires; absent where it never did. */
  startsAt: z.number().optional(),
  /** The newest event that says so. */
  firedAt: z.number().optional(),
  /** When it ended. */
  endsAt: z.number().optional(),
  /** The newest event that says there is nothing to fire for: an older failure that is heard of later does not fire. */
  clearedAt: z.number().optional(),
  summary: z.string(),
  description: z.string(),
});
export type AlertState = z.infer<typeof AlertState>;

/**
 * What an Alertmanager is told of one workload, in the KV bucket `notify` under `<cluster>.alert.<receiver>.<id>`. An Alertmanager forgets its alerts when it
 * restarts, so they are told again while they fire, and for a while after they ended.
 */
export const AlertRecord = z.object({
  v: z.literal(1),
  type: z.literal("alert"),
  receiver: z.string(),
  workload: ObjectId,
  failed: AlertState,
  stalled: AlertState,
  /** When it was written. */
  at: z.number(),
});
export type AlertRecord = z.infer<typeof AlertRecord>;
