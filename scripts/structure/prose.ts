import { MAX_COLUMNS } from "./comments.ts";
import type { SourceText } from "./read-sources.ts";

/**
 * The page with its blocks of code and its front matter emptied, so that lines keep their numbers.
 */
function proseOf(text: string): string {
  return text.replaceAll(/^---\n.*?^---$|^ *(```+|~~~+).*?^ *\1$/gms, (block) =>
    block.replaceAll(/.+/g, ""),
  );
}

/**
 * Rows of tables, headings, comments, and a single word, which a link may be, cannot be wrapped.
 */
function isUnbreakable(line: string): boolean {
  const content = line.trim().replace(/^(?:[-*+]|\d+\.) +/, "");
  return /^(?:\||#+ |<!--)/.test(content) || !content.includes(" ");
}

/** The lines of prose that are too long, a line each. */
export function longProse(pages: readonly SourceText[]): string[] {
  return pages.flatMap(({ file, text }) =>
    proseOf(text)
      .split("\n")
      .map((line, at) => ({ line, at, columns: [...line].length }))
      .filter(({ line, columns }) => columns > MAX_COLUMNS && !isUnbreakable(line))
      .map(({ at, columns }) => `${file}:${at + 1}: a line of ${columns} columns`),
  );
}
