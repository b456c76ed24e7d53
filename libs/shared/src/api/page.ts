import { z } from "zod";
import { ProblemError } from "./problem.ts";

/** The part of a query that asks for one page. */
export const PageQuery = {
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(500)
    .default(100)
    .meta({ description: "Entries of one page" }),
  cursor: z
    .string()
    .max(1_000)
    .optional()
    .meta({ description: "`next` of the page before; absent for the first" }),
};

/** The answer of a route with pages. */
export function pageOf<T extends z.ZodType>(item: T) {
  return z.object({
    items: z.array(item),
    next: z
      .string()
      .optional()
      .meta({ description: "Cursor of the next page, where there is one" }),
  });
}

function decode(cursor: string): string {
  const key = Buffer.from(cursor, "base64url").toString("utf8");
  if (Buffer.from(key).toString("base64url") !== cursor) {
    const detail = "the cursor is none that this API gave: begin again without a cursor";
    throw new ProblemError(400, "bad-cursor", detail);
  }
  return key;
}

/**
 * The page of `items` that the query asks for, in the order of their keys, which must be unique. A
 * page goes on after the last key of the one before, so what comes or goes in between is neither
 * repeated nor skipped.
 */
export function paginate<T>(
  items: Iterable<T>,
  keyOf: (item: T) => string,
  query: { readonly limit: number; readonly cursor?: string },
): { items: T[]; next?: string } {
  const after = query.cursor === undefined ? undefined : decode(query.cursor);
  const rest = [...items]
    .map((item) => ({ key: keyOf(item), item }))
    .filter(({ key }) => after === undefined || key > after)
    .toSorted((a, b) => (a.key < b.key ? -1 : 1));
  const page = rest.slice(0, query.limit);
  const last = page.at(-1);
  return {
    items: page.map(({ item }) => item),
    next:
      last === undefined || rest.length <= query.limit
        ? undefined
        : Buffer.from(last.key).toString("base64url"),
  };
}
