import { z } from "zod";

/** A job names a record: the group to flush or the notification to deliver. */
export const Job = z.union([
  z.strictObject({ group: z.string() }),
  z.strictObject({ notification: z.string() }),
]);
export type Job = z.infer<typeof Job>;
