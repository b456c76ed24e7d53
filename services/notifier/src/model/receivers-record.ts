import { z } from "zod";

/**
 * The receivers of the configuration that was read last, by any replica, in the KV bucket `notify` under `<cluster>.receivers`: a replica that has not read it yet must not take
 * a new receiver for a removed one.
 */
export const ReceiversRecord = z.object({
  v: z.literal(1),
  type: z.literal("receivers"),
  names: z.array(z.string()),
  /** When it was written. */
  at: z.number(),
});
export type ReceiversRecord = z.infer<typeof ReceiversRecord>;
