import { readFile } from "node:fs/promises";
import type { SecretRef } from "@rollcast/shared/config/secret-ref";
import { ConfigError } from "@rollcast/shared/errors";
import { fileFault } from "./file-fault.ts";

const MAX_SECRET_BYTES = 65_536;

/**
 * The text in `bytes` without the white space around it; throws where it is no text, empty or too
 * large.
 */
function checked(bytes: Uint8Array, where: string): string {
  if (bytes.byteLength > MAX_SECRET_BYTES) {
    throw new ConfigError(`${where} is larger than ${MAX_SECRET_BYTES} bytes`);
  }
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes).trim();
  } catch {
    throw new ConfigError(`${where} is not UTF-8 text`);
  }
  if (text === "") throw new ConfigError(`${where} is empty`);
  return text;
}

/**
 * The secret behind `ref`; throws {@link ConfigError} where it is missing, empty, too large or no
 * text. The text is never part of the error, `key` is: where in the configuration `ref` stands.
 */
export async function readSecret(
  ref: SecretRef,
  env: Readonly<Record<string, string | undefined>>,
  key?: string,
): Promise<string> {
  const at = key === undefined ? "" : `${key}: `;
  if ("env" in ref) {
    const where = `${at}environment variable ${ref.env}`;
    const value = env[ref.env];
    if (value === undefined) throw new ConfigError(`${where} is not set`);
    return checked(Buffer.from(value), where);
  }
  const where = `${at}secret file ${ref.file}`;
  let bytes: Buffer;
  try {
    bytes = await readFile(ref.file);
  } catch (err) {
    throw new ConfigError(`${where} cannot be read: ${fileFault(err, ref.file)}`, { cause: err });
  }
  return checked(bytes, where);
}
