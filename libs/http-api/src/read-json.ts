import type { IncomingMessage } from "node:http";
import { ProblemError } from "@rollcast/shared/api/problem";

const MAX_BODY_BYTES = 65_536;

/** Reads a JSON body of at most 64 KiB; undefined if there is none. Throws {@link ProblemError}. */
export async function readJson(request: IncomingMessage): Promise<unknown> {
  const { "content-type": type = "", "content-length": size = "0" } = request.headers;
  if (size === "0" && request.headers["transfer-encoding"] === undefined) return undefined;
  if (!/^application\/json *(?:;|$)/i.test(type)) {
    throw new ProblemError(415, "not-json", "send the body as Content-Type: application/json");
  }
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    // Reads a body that is too large to its end too: a client that is still sending when its
    // connection ends may never read the answer.
    for await (const chunk of request as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length <= MAX_BODY_BYTES) chunks.push(chunk);
    }
    if (length <= MAX_BODY_BYTES) return JSON.parse(Buffer.concat(chunks).toString());
  } catch {
    throw new ProblemError(400, "bad-request", "the request is malformed: send one JSON object");
  }
  throw new ProblemError(413, "too-large", `the body is larger than ${MAX_BODY_BYTES} bytes`);
}
