import { KubeError } from "./kube-error.ts";
import { splitList } from "./list-body.ts";
import type { KubeClient } from "./client.ts";
import type { KubeObject } from "./object.ts";
import { apiPath } from "./patch.ts";

export const LIST_LIMITS: ListLimits = {
  pageLimit: 500,
  pageBytes: 4 * 1_048_576,
  timeoutMs: 60_000,
};

/** What is listed and watched: a resource, in one namespace or in all, as server-side selectors narrow it. */
export type ReflectedResource = {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** Ask for metadata only (`PartialObjectMetadata`). */
  readonly metadataOnly?: boolean;
};

export type ListLimits = {
  /** Objects a page, at most. */
  readonly pageLimit: number;
  /** Bytes a page should have: the number of objects asked for follows their size. */
  readonly pageBytes: number;
  /** Milliseconds a page may take. */
  readonly timeoutMs: number;
};

export type Page<T> = {
  readonly items: readonly T[];
  /** Of the whole list: the same on every page. */
  readonly resourceVersion: string;
};

export type PageOptions<T> = {
  client: KubeClient;
  resource: ReflectedResource;
  reduce: (object: KubeObject) => T;
  limits: ListLimits;
  signal: AbortSignal;
};

type RawList = {
  kind?: string;
  metadata?: { resourceVersion?: unknown; continue?: unknown };
  items?: unknown;
};

const PARTIAL = "as=PartialObjectMetadata;v=v1;g=meta.k8s.io";
/** Asks for a list of metadata alone. */
export const PARTIAL_LIST = "as=PartialObjectMetadataList;v=v1;g=meta.k8s.io";
const MAX_PAGE_FACTOR = 4;
/** Of one page with one object: etcd takes 1.5 MiB unless told more, and JSON makes it larger. */
const MIN_PAGE_BYTES = 16 * 1_048_576;

export function acceptOf(resource: ReflectedResource, list: boolean): string {
  if (resource.metadataOnly !== true) return "application/json";
  return `application/json;${list ? PARTIAL_LIST : PARTIAL}`;
}

export function selectorsOf(resource: ReflectedResource): Record<string, string> {
  const { labelSelector, fieldSelector } = resource;
  return {
    ...(labelSelector === undefined || labelSelector === "" ? {} : { labelSelector }),
    ...(fieldSelector === undefined || fieldSelector === "" ? {} : { fieldSelector }),
  };
}

/** The object as the API server sent it, checked for what the reflector needs. Throws {@link KubeError} `Garbage`. */
export function checkObject(raw: unknown): KubeObject {
  const metadata = (raw as KubeObject | undefined)?.metadata;
  if (
    typeof metadata?.name !== "string" ||
    typeof metadata.uid !== "string" ||
    typeof metadata.resourceVersion !== "string"
  ) {
    throw new KubeError(0, "Garbage", "an object without name, uid or resourceVersion");
  }
  return raw as KubeObject;
}

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

/**
 * The present objects, page by page, consistent as of one resourceVersion: no `resourceVersion` is asked for, so the server answers with the newest state
 * (https://kubernetes.io/docs/reference/using-api/api-concepts/, "Semantics for get and list"). Each page is reduced at once and dropped; the next is asked for
 * when the caller comes back. Throws {@link KubeError}: whoever was in the middle knows nothing about what had not come yet.
 */
export async function* listPages<T>(options: PageOptions<T>): AsyncGenerator<Page<T>, void> {
  const { limits } = options;
  let limit = limits.pageLimit;
  let token = "";
  do {
    const page = await fetchPage(options, limit, token);
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

type FetchedPage<T> = Page<T> & { readonly next: string; readonly bytes: number };

async function fetchPage<T>(
  { client, resource, reduce, limits, signal }: PageOptions<T>,
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
      parse: (body) => parsePage(body, reduce),
      signal,
    });
  } catch (err) {
    if (err instanceof KubeError && err.reason === "TooLarge" && limit > 1) return "too-large";
    throw err;
  }
}

function parsePage<T>(body: Buffer, reduce: (object: KubeObject) => T): FetchedPage<T> {
  const { envelope, items } = splitList(body);
  const { resourceVersion, next } = checkList(envelope as RawList);
  const reduced: T[] = [];
  for (const item of items) reduced.push(reduce(parseItem(item)));
  return { items: reduced, resourceVersion, next, bytes: body.length };
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

/** The part of a reflector's handler that a list needs. */
export type ListHandler<T> = {
  listStarted?(): void | Promise<void>;
  listing?(list: { resourceVersion: string }): void | Promise<void>;
  upsert(item: T, origin: "list"): void | Promise<void>;
  listed(list: { resourceVersion: string }): void | Promise<void>;
};

/** Runs one full list through `handler`; the list's resourceVersion and how many objects it had. Throws where it fails, at any point. */
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
