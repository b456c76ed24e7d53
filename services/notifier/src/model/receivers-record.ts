import { z } from "zod";

/**
 * The receivers of the configuration that any replica loaded last, in the KV bucket `notify` under
 * `<cluster>.receivers`: a replica that has not loaded it yet must not mistake a new receiver for a
 * removed one.
 */
export const ReceiversRecord = z.object({
  v: z.literal(1),
  type: z.literal("receivers"),
  names: z.array(z.string()),
  /** When the record was written. */
  at: z.number(),
});
export type ReceiversRecord = z.infer<typeof ReceiversRecord>;
