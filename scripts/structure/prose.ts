import { parseSync } from "oxc-parser";
import type { SourceText } from "./read-sources.ts";

export const MAX_COLUMNS = 100;

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

const DIRECTIVE = /^(?:eslint|oxlint|oxfmt|@ts)-/;

/** Whether a line may be longer: one word (a URL), a directive, and what is laid out by hand. */
function mayBeLong(line: string): boolean {
  const content = line.trim().replace(/^(?:\/\/|\/\*+|\*|#) ?/, "");
  const isLaidOut = /^(?:\s{2}|\|)/.test(content);
  return isLaidOut || DIRECTIVE.test(content) || !content.trim().includes(" ");
}

/** The numbers of the lines, from 0, that begin with `#`. */
function hashLines(text: string): Set<number> {
  const numbers = text.split("\n").flatMap((line, at) => (/^\s*#/.test(line) ? [at] : []));
  return new Set(numbers);
}

/** The numbers of the lines, from 0, that a comment has a part of. */
function commentLines(file: string, text: string): Set<number> {
  if (!/\.(?:ts|mjs)$/.test(file)) return hashLines(text);
  const lineAt = (at: number) => text.slice(0, at).split("\n").length - 1;
  const numbers = parseSync(file, text).comments.flatMap(({ start, end }) => {
    const first = lineAt(start);
    return Array.from({ length: lineAt(end) - first + 1 }, (_, n) => first + n);
  });
  return new Set(numbers);
}

/** The lines with a comment that are too long, a line each. */
export function longComments(texts: readonly SourceText[]): string[] {
  return texts.flatMap(({ file, text }) => {
    const long = text.split("\n").map((line) => [...line].length > MAX_COLUMNS);
    if (!long.includes(true)) return [];
    const commented = commentLines(file, text);
    return text
      .split("\n")
      .map((line, at) => ({ line, at }))
      .filter(({ line, at }) => long[at] === true && commented.has(at) && !mayBeLong(line))
      .map(({ line, at }) => `${file}:${at + 1}: a comment of ${[...line].length} columns`);
  });
}
