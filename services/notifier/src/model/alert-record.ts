import { z } from "zod";
import { ObjectId } from "@rollcast/shared/event-envelope";

/** The state of one of a workload's alerts. Times in milliseconds since the epoch. */
export const AlertState = z.object({
  /** When the alert started to fire; undefined if it never did. */
  startsAt: z.number().optional(),
  /** Time of the newest event that fires the alert. */
  firedAt: z.number().optional(),
  /** When the alert was resolved. */
  endsAt: z.number().optional(),
  /**
   * Time of the newest event that clears the alert: an older failure that arrives later does not
   * fire.
   */
  clearedAt: z.number().optional(),
  summary: z.string(),
  description: z.string(),
});
export type AlertState = z.infer<typeof AlertState>;

/**
 * The alerts of one workload for one Alertmanager, in the KV bucket `notify` under
 * `<cluster>.alert.<receiver>.<id>`. An Alertmanager forgets its alerts when it restarts, so they
 * are resent while they fire and for a while after they were resolved.
 */
export const AlertRecord = z.object({
  v: z.literal(1),
  type: z.literal("alert"),
  receiver: z.string(),
  workload: ObjectId,
  failed: AlertState,
  stalled: AlertState,
  /** When the record was written. */
  at: z.number(),
});
export type AlertRecord = z.infer<typeof AlertRecord>;
