import type { z } from "zod";
import { TerminalError } from "@rollcast/shared/errors";
import type { Nats } from "./connect.ts";
import type { Bucket } from "./streams.ts";

function safeJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}

/** How records of one form are read from bytes. */
export function recordReader<T>(nats: Nats, bucket: Bucket, schema: z.ZodType<T>) {
  const parse = (key: string, bytes: Uint8Array): T => {
    const parsed = schema.safeParse(safeJson(bytes));
    if (parsed.success) return parsed.data;
    const [issue] = parsed.error.issues;
    throw new TerminalError(
      "Unreadable",
      `record ${key} in ${bucket} is not of the form this version reads (${issue?.path.join(".")}: ${issue?.message})`,
    );
  };
  const tryParse = (key: string, bytes: Uint8Array): T | undefined => {
    try {
      return parse(key, bytes);
    } catch (err) {
      nats.logger.error({ err, key, bucket }, "skipping unreadable record");
      return undefined;
    }
  };
  return { parse, tryParse };
}
