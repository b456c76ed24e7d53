import type { IncomingMessage } from "node:http";
import { KubeError, fromStatus, parseRetryAfter } from "./kube-error.ts";

const MAX_ERROR_BYTES = 65_536;

export function noAnswer(err: unknown, signal: AbortSignal): unknown {
  if (err instanceof KubeError) return err;
  if (signal.aborted) return signal.reason;
  const code =
    err instanceof Error && "code" in err && typeof err.code === "string" ? err.code : "Network";
  const message = err instanceof Error ? err.message : String(err);
  return new KubeError(0, code, message || code, { cause: err });
}

export async function readBounded(body: AsyncIterable<Buffer>, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > maxBytes) {
      throw new KubeError(0, "TooLarge", `the answer is larger than ${maxBytes} bytes`);
    }
    chunks.push(chunk);
  }
  return chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, size);
}

export async function refusal(response: IncomingMessage): Promise<KubeError> {
  const retryAfterMs = parseRetryAfter(response.headers["retry-after"], Date.now());
  let status: unknown;
  try {
    const bytes = await readBounded(response, MAX_ERROR_BYTES);
    status = JSON.parse(bytes.toString("utf8"));
  } catch {
    // A proxy's page or a cut answer: the HTTP status says enough.
  }
  return fromStatus(status, response.statusCode ?? 0, retryAfterMs);
}

export function isSuccess({ statusCode = 0 }: IncomingMessage): boolean {
  return statusCode >= 200 && statusCode <= 299;
}
