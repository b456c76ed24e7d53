import { KubeError, fromStatus } from "./kube-error.ts";
import type { KubeClient } from "./client.ts";
import { acceptOf, checkObject, selectorsOf } from "./resource.ts";
import type { ReflectedResource } from "./resource.ts";
import type { KubeObject } from "./object.ts";
import { apiPath } from "./api-path.ts";

/** An event of a watch, its object already transformed; a bookmark has none. */
export type WatchEvent<T> =
  | { readonly type: "upsert" | "removed"; readonly item: T; readonly resourceVersion: string }
  | { readonly type: "bookmark"; readonly resourceVersion: string };

/** An object is at most a few MiB; a longer line is no event. */
const MAX_LINE = 32 * 1_048_576;
const NEWLINE = 0x0a;
/** Until the server must have begun to answer. */
const OPEN_TIMEOUT_MS = 30_000;

/**
 * Splits a stream of bytes into lines. Throws {@link KubeError} `Garbage` for a line above
 * `maxLine` bytes. A last line without its end is dropped.
 */
export async function* splitLines(
  chunks: AsyncIterable<Uint8Array>,
  maxLine = MAX_LINE,
): AsyncGenerator<Buffer, void> {
  let parts: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      const tail = chunk.subarray(start, end);
      start = end + 1;
      const line = size === 0 ? tail : Buffer.concat([...parts, tail], size + tail.length);
      parts = [];
      size = 0;
      if (line.length > 0) yield Buffer.from(line.buffer, line.byteOffset, line.length);
    }
    if (start < chunk.length) {
      const rest = chunk.subarray(start);
      size += rest.length;
      if (size > maxLine) throw new KubeError(0, "Garbage", `a line above ${maxLine} bytes`);
      parts.push(rest);
    }
  }
}

/** One line of a watch. Throws {@link KubeError}: what an ERROR event carries, or `Garbage`. */
export function parseEvent<T>(line: Buffer, transform: (object: KubeObject) => T): WatchEvent<T> {
  let raw: { type?: unknown; object?: unknown };
  try {
    raw = JSON.parse(line.toString("utf8"));
  } catch {
    // The parser's own words quote what it read, which may be a Secret.
    throw new KubeError(0, "Garbage", "a line of the watch is not JSON");
  }
  switch (raw?.type) {
    case "ADDED":
    case "MODIFIED":
    case "DELETED": {
      const object = checkObject(raw.object);
      const type = raw.type === "DELETED" ? "removed" : "upsert";
      return { type, item: transform(object), resourceVersion: object.metadata.resourceVersion };
    }
    case "BOOKMARK": {
      const version = (raw.object as KubeObject | undefined)?.metadata?.resourceVersion;
      if (typeof version !== "string" || version === "") break;
      return { type: "bookmark", resourceVersion: version };
    }
    case "ERROR":
      throw fromStatus(raw.object, 500);
    default:
  }
  throw new KubeError(0, "Garbage", "a line of the watch is not an event");
}

/**
 * A watch's events, from `resourceVersion` on, until the server ends it. `alive` is called for
 * every chunk that arrives.
 */
export async function* watchEvents<T>(options: {
  client: KubeClient;
  resource: ReflectedResource;
  transform: (object: KubeObject) => T;
  resourceVersion: string;
  /** Seconds after which the server ends the watch. */
  timeoutSeconds: number;
  alive: () => void;
  /** The server has accepted the watch. */
  opened: () => void;
  signal: AbortSignal;
}): AsyncGenerator<WatchEvent<T>, void> {
  const { client, resource, transform, alive } = options;
  const body = await client.stream({
    method: "GET",
    path: apiPath(resource, resource.namespace),
    query: {
      watch: "1",
      allowWatchBookmarks: "true",
      resourceVersion: options.resourceVersion,
      timeoutSeconds: String(options.timeoutSeconds),
      ...selectorsOf(resource),
    },
    accept: acceptOf(resource, false),
    timeoutMs: OPEN_TIMEOUT_MS,
    signal: options.signal,
  });
  alive();
  options.opened();
  for await (const line of splitLines(tap(body, alive))) yield parseEvent(line, transform);
}

async function* tap(chunks: AsyncIterable<Uint8Array>, onChunk: () => void) {
  for await (const chunk of chunks) {
    onChunk();
    yield chunk;
  }
}
