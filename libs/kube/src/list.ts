import { retry } from "@rollcast/async/retry";
import { KubeError } from "./kube-error.ts";
import type { KubeClient } from "./client.ts";
import type { KubeObject } from "./object.ts";
import { apiPath } from "./api-path.ts";
import { recover } from "./recovery.ts";
import { acceptOf, checkObject, selectorsOf } from "./resource.ts";
import type { ReflectedResource } from "./resource.ts";

export const LIST_LIMITS: ListLimits = {
  pageLimit: 500,
  pageBytes: 4 * 1_048_576,
  timeoutMs: 60_000,
};

/**
 * The present objects, page by page, consistent as of one resourceVersion: no `resourceVersion` is
 * asked for, so the server answers with the newest state
 * (https://kubernetes.io/docs/reference/using-api/api-concepts/, "Semantics for get and list").
 * Each page is reduced at once and dropped; the next is asked for when the caller comes back.
 * Throws {@link KubeError}: whoever was in the middle knows nothing about what had not come yet.
 */
export async function* listPages<T>(options: PageOptions<T>): AsyncGenerator<Page<T>, void> {
  const { limits } = options;
  let limit = limits.pageLimit;
  let token = "";
  do {
    const page = await retryPage(options, limit, token);
    if (page === "too-large") {
      limit = Math.max(1, Math.floor(limit / 8));
      continue;
    }
    limit = nextLimit(limits, page.items.length, page.bytes);
    token = page.next;
    yield { items: page.items, resourceVersion: page.resourceVersion };
    if (token === "") return;
  } while (true);
}

/** The part of a reflector's handler that a list needs. */
type ListHandler<T> = {
  listStarted?(): void | Promise<void>;
  listing?(list: { resourceVersion: string }): void | Promise<void>;
  upsert(item: T, origin: "list"): void | Promise<void>;
  listed(list: { resourceVersion: string }): void | Promise<void>;
};

/**
 * Runs one full list through `handler`; the list's resourceVersion and how many objects it had.
 * Throws where it fails, at any point.
 */
export async function listInto<T>(
  handler: ListHandler<T>,
  options: PageOptions<T>,
): Promise<{ resourceVersion: string; count: number }> {
  await handler.listStarted?.();
  let resourceVersion: string | undefined;
  let count = 0;
  for await (const page of listPages(options)) {
    if (resourceVersion === undefined) await handler.listing?.(page);
    ({ resourceVersion } = page);
    for (const item of page.items) await handler.upsert(item, "list");
    count += page.items.length;
  }
  if (resourceVersion === undefined) throw new KubeError(0, "Garbage", "a list without a page");
  await handler.listed({ resourceVersion });
  return { resourceVersion, count };
}

type ListLimits = {
  /** Objects a page, at most. */
  readonly pageLimit: number;
  /** Bytes a page should have: the number of objects asked for follows their size. */
  readonly pageBytes: number;
  /** Milliseconds a page may take. */
  readonly timeoutMs: number;
};

type Page<T> = {
  readonly items: readonly T[];
  /** Of the whole list: the same on every page. */
  readonly resourceVersion: string;
};

type PageOptions<T> = {
  client: KubeClient;
  resource: ReflectedResource;
  transform: (object: KubeObject) => T;
  limits: ListLimits;
  signal: AbortSignal;
  /** Told of a page that is asked for again. */
  retried?: (err: KubeError) => void;
};

type RawList = {
  kind?: string;
  metadata?: { resourceVersion?: unknown; continue?: unknown };
  items?: unknown;
};

const PAGE_ATTEMPTS = 5;
const PAGE_BACKOFF = { initial: 100, max: 2_000 };
const MAX_PAGE_FACTOR = 4;
/** Of one page with one object: etcd takes 1.5 MiB by default, and JSON makes it larger. */
const MIN_PAGE_BYTES = 16 * 1_048_576;

function checkList(raw: RawList): { resourceVersion: string; next: string } {
  const version = raw?.metadata?.resourceVersion;
  // An empty list of Go may be written as null.
  const items = raw?.items ?? (raw?.kind?.endsWith("List") === true ? [] : undefined);
  if (!Array.isArray(items) || typeof version !== "string" || version === "") {
    throw new KubeError(0, "Garbage", "a list without items or resourceVersion");
  }
  const next = raw.metadata?.continue;
  return { resourceVersion: version, next: typeof next === "string" ? next : "" };
}

/** How many objects to ask for next, so that a page has about `limits.pageBytes`. */
export function nextLimit(limits: ListLimits, count: number, bytes: number): number {
  if (count === 0 || bytes === 0) return limits.pageLimit;
  const fitting = Math.floor(limits.pageBytes / (bytes / count));
  return Math.max(1, Math.min(limits.pageLimit, fitting));
}

/** Whether the same page may be had by asking again. */
function isPassing({ status, reason }: KubeError): boolean {
  return status === 429 || status >= 500 || (status === 0 && reason !== "TooLarge");
}

/**
 * A later page is asked for again a few times: of a long list one always may fail, and without this
 * the whole list would have to begin again.
 */
async function retryPage<T>(
  options: PageOptions<T>,
  limit: number,
  token: string,
): Promise<FetchedPage<T> | "too-large"> {
  const onFailure = (err: unknown, attempt: number) => {
    if (token === "" || attempt >= PAGE_ATTEMPTS) throw err;
    if (!(err instanceof KubeError) || !isPassing(err)) throw err;
    options.retried?.(err);
    return recover(err, attempt, PAGE_BACKOFF).delayMs;
  };
  const { signal } = options;
  return retry(() => fetchPage(options, limit, token), {
    backoff: PAGE_BACKOFF,
    signal,
    onFailure,
  });
}

type FetchedPage<T> = Page<T> & { readonly next: string; readonly bytes: number };

async function fetchPage<T>(
  { client, resource, transform, limits, signal }: PageOptions<T>,
  limit: number,
  token: string,
): Promise<FetchedPage<T> | "too-large"> {
  try {
    return await client.request<FetchedPage<T>>({
      method: "GET",
      path: apiPath(resource, resource.namespace),
      query: {
        limit: String(limit),
        ...(token === "" ? {} : { continue: token }),
        ...selectorsOf(resource),
      },
      accept: acceptOf(resource, true),
      timeoutMs: limits.timeoutMs,
      maxBytes: Math.max(MIN_PAGE_BYTES, limits.pageBytes * MAX_PAGE_FACTOR),
      parse: (body) => parsePage(body, transform),
      signal,
    });
  } catch (err) {
    if (err instanceof KubeError && err.reason === "TooLarge" && limit > 1) return "too-large";
    throw err;
  }
}

function parsePage<T>(body: Buffer, transform: (object: KubeObject) => T): FetchedPage<T> {
  const { envelope, items } = splitList(body);
  const { resourceVersion, next } = checkList(envelope as RawList);
  const transformed: T[] = [];
  for (const item of items) transformed.push(transform(parseItem(item)));
  return { items: transformed, resourceVersion, next, bytes: body.length };
}

function parseItem(item: Buffer): KubeObject {
  let raw: unknown;
  try {
    raw = JSON.parse(item.toString("utf8"));
  } catch {
    // The parser's own words quote what it read, which may be a Secret.
    throw new KubeError(0, "NotJson", "an item of the list is not JSON");
  }
  return checkObject(raw);
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const ITEMS = Buffer.from('"items"');
/** A member of the list object and an element of its array. */
const LIST_DEPTH = 1;
const ITEM_DEPTH = 2;

/** Position after the string that begins at `at`; -1 where it does not end. */
function afterString(body: Buffer, at: number): number {
  for (let end = body.indexOf(QUOTE, at + 1); end !== -1; end = body.indexOf(QUOTE, end + 1)) {
    let slashes = 0;
    while (body[end - 1 - slashes] === BACKSLASH) slashes++;
    if (slashes % 2 === 0) return end + 1;
  }
  return -1;
}

function isItems(body: Buffer, at: number, end: number): boolean {
  return end - at === ITEMS.length && body.compare(ITEMS, 0, ITEMS.length, at, end) === 0;
}

/** What is left of the list when its items are cut out, and where these are. */
type ListBody = {
  /** The list with `items: []` in their place. */
  readonly envelope: unknown;
  /** The bytes of each item. */
  readonly items: Iterable<Buffer>;
};

/**
 * Takes the JSON of a Kubernetes list apart without parsing the items: each can be parsed and
 * dropped alone, while the tree of a whole page would live long enough to fill the heap. Strings
 * are skipped as strings, so nothing in a value is taken for structure. Throws {@link KubeError}
 * `NotJson`.
 */
export function splitList(body: Buffer): ListBody {
  const ranges: number[] = [];
  let depth = 0;
  let inItems = false;
  let sawItems = false;
  let arrayStart = -1;
  let arrayEnd = -1;
  let itemStart = -1;
  for (let at = 0; at < body.length;) {
    const byte = body[at];
    if (byte === QUOTE) {
      const end = afterString(body, at);
      if (end === -1) break;
      if (depth === LIST_DEPTH && arrayEnd === -1) sawItems = isItems(body, at, end);
      at = end;
      continue;
    }
    if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      if (depth === LIST_DEPTH && sawItems && byte === OPEN_BRACKET) {
        inItems = true;
        arrayStart = at;
      } else if (depth === ITEM_DEPTH && inItems) itemStart = at;
      sawItems = false;
      depth++;
    } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
      depth--;
      if (depth === ITEM_DEPTH && inItems) ranges.push(itemStart, at + 1);
      else if (depth === LIST_DEPTH && inItems) {
        inItems = false;
        arrayEnd = at;
      }
    }
    at++;
  }
  return { envelope: parseEnvelope(body, arrayStart, arrayEnd), items: slices(body, ranges) };
}

function parseEnvelope(body: Buffer, arrayStart: number, arrayEnd: number): unknown {
  try {
    if (arrayStart === -1) return JSON.parse(body.toString("utf8"));
    const head = body.toString("utf8", 0, arrayStart + 1);
    return JSON.parse(head + body.toString("utf8", arrayEnd));
  } catch {
    // The parser's own words quote what it read, which may be a Secret.
    throw new KubeError(0, "NotJson", "the list is not JSON");
  }
}

function* slices(body: Buffer, ranges: readonly number[]): Generator<Buffer, void> {
  for (let i = 0; i < ranges.length; i += 2) yield body.subarray(ranges[i], ranges[i + 1]);
}
