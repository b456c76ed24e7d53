import { z } from "zod";

export const Job = z.union([
  z.strictObject({ group: z.string() }),
  z.strictObject({ notification: z.string() }),
]);
export type Job = z.infer<typeof Job>;
