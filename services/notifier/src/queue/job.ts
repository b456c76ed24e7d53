import { z } from "zod";

export const Turn = z.union([
  z.strictObject({ group: z.string() }),
  z.strictObject({ notification: z.string() }),
]);
export type Turn = z.infer<typeof Turn>;
