import { TerminalError } from "@rollcast/shared/errors";
import type { z } from "zod";
import type { Bucket } from "./streams.ts";

/** How records of one form are written as bytes, and read again. */
export type RecordForm<T> = {
  /**
   * Throws `TerminalError` (`Unreadable`) where the bytes are not of the form. The same bytes may
   * give the same object again: nobody may change it.
   */
  read(key: string, bytes: Uint8Array): T;
  /** The same for bytes that are part of a larger message, which would be kept with them. */
  readOnce(key: string, bytes: Uint8Array): T;
  /** Throws `TerminalError` (`Unwritable`) where the bytes could not be read again. */
  write(key: string, value: T): Uint8Array;
};

/**
 * A record is written, reported by the watch of its bucket and read before the next decision, each
 * time as the same bytes, and to check their form costs far more than to compare them. So what was
 * read or written last is remembered, by its bytes: a bucket that was restored gives the same
 * revision to others. So many bytes of records in all, and the objects that were made of them.
 */
const MAX_BYTES = 524_288;

const encoder = new TextEncoder();

type Remembered<T> = { readonly bytes: Uint8Array; readonly value: T };

/** The records of the most recent keys, `maxBytes` in all. */
function createMemory<T>(maxBytes: number) {
  const byKey = new Map<string, Remembered<T>>();
  let size = 0;
  const forget = (key: string) => {
    size -= byKey.get(key)?.bytes.length ?? 0;
    byKey.delete(key);
  };
  return {
    /** What was made of the same bytes, if it is remembered. */
    of(key: string, bytes: Uint8Array): Remembered<T> | undefined {
      const existing = byKey.get(key);
      return existing !== undefined && Buffer.compare(existing.bytes, bytes) === 0
        ? existing
        : undefined;
    },
    keep(key: string, bytes: Uint8Array, value: T): void {
      forget(key);
      byKey.set(key, { bytes, value });
      size += bytes.length;
      for (const oldest of byKey.keys()) {
        if (size <= maxBytes) return;
        forget(oldest);
      }
    },
  };
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString());
  } catch {
    return undefined;
  }
}

/** The form that `schema` describes, of the records of a bucket. */
export function createRecordForm<T>(
  bucket: Bucket,
  schema: z.ZodType<T>,
  maxBytes = MAX_BYTES,
): RecordForm<T> {
  const memory = createMemory<T>(maxBytes);
  const check = (key: string, reason: "Unreadable" | "Unwritable", json: unknown): T => {
    const parsed = schema.safeParse(json);
    if (parsed.success) return parsed.data;
    const [issue] = parsed.error.issues;
    throw new TerminalError(
      reason,
      `record ${key} in ${bucket} is not of the form this version reads (${issue?.path.join(".")}: ${issue?.message})`,
    );
  };
  const parse = (key: string, bytes: Uint8Array) => check(key, "Unreadable", jsonOf(bytes));
  return {
    read(key, bytes) {
      const existing = memory.of(key, bytes);
      if (existing !== undefined) return existing.value;
      const value = parse(key, bytes);
      memory.keep(key, bytes, value);
      return value;
    },
    readOnce(key, bytes) {
      const existing = memory.of(key, bytes);
      return existing === undefined ? parse(key, bytes) : existing.value;
    },
    write(key, value) {
      const text = JSON.stringify(value);
      const bytes = encoder.encode(text);
      // As it will be read: what JSON cannot hold is not what it was.
      memory.keep(key, bytes, check(key, "Unwritable", JSON.parse(text)));
      return bytes;
    },
  };
}
