import { z } from "zod";

const ENV_NAME = /^[A-Z_][A-Z0-9_]*$/;

/**
 * Where a secret is: a file (trimmed of white space around it) or an environment variable. Never
 * the secret itself.
 */
export const SecretRef = z.union(
  [
    z.strictObject({ file: z.string().min(1) }),
    z.strictObject({
      env: z.string().regex(ENV_NAME, "must be the name of an environment variable"),
    }),
  ],
  { error: "must be { file: PATH } or { env: NAME }" },
);
export type SecretRef = z.infer<typeof SecretRef>;
