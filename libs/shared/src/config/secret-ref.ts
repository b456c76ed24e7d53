import { readFile } from "node:fs/promises";
import { z } from "zod";
import { ConfigError } from "../errors.ts";

/** Where a secret is: a file (trimmed of white space around it) or an environment variable. Never the secret itself. */
export const SecretRef = z.union(
  [
    z.strictObject({ file: z.string().min(1) }),
    z.strictObject({ env: z.string().regex(/^[A-Z_][A-Z0-9_]*$/) }),
  ],
  { error: "must be { file: PATH } or { env: NAME }" },
);
export type SecretRef = z.infer<typeof SecretRef>;

const MAX_SECRET_BYTES = 65_536;

/** The secret behind `ref`; throws {@link ConfigError} where it is missing, empty or too large. The text is never part of the error. */
export async function readSecret(
  ref: SecretRef,
  env: Readonly<Record<string, string | undefined>>,
): Promise<string> {
  if ("env" in ref) {
    const value = env[ref.env]?.trim();
    if (value === undefined || value === "") {
      throw new ConfigError(`environment variable ${ref.env} is not set or empty`);
    }
    return value;
  }
  let text: string;
  try {
    text = await readFile(ref.file, "utf8");
  } catch (err) {
    throw new ConfigError(`secret file ${ref.file} cannot be read`, { cause: err });
  }
  const secret = text.trim();
  if (secret === "" || text.length > MAX_SECRET_BYTES) {
    throw new ConfigError(`secret file ${ref.file} is empty or larger than ${MAX_SECRET_BYTES}`);
  }
  return secret;
}
