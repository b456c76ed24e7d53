import { countLines } from "./read-sources.ts";
import type { SourceText } from "./read-sources.ts";

export const MAX_LINES = 300;

/** The sources that are too long, a line each. */
export function oversized(texts: readonly SourceText[]): string[] {
  return texts
    .map(({ file, text }) => ({ file, lines: countLines(text) }))
    .filter(({ lines }) => lines > MAX_LINES)
    .map(({ file, lines }) => `${file}: ${lines} lines, at most ${MAX_LINES} are allowed`);
}
