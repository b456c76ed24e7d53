import { KubeError } from "./kube-error.ts";
import { nextLimit, retryPage } from "./list-page.ts";
import type { ListLimits, Page, PageOptions } from "./list-page.ts";

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
export type ListHandler<T> = {
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
