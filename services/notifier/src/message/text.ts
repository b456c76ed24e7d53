/**
 * `text` cut to at most `limit` units of `size`, never inside a character, and marked with `…`.
 * Lone surrogates become U+FFFD.
 */
export function cut(
  text: string,
  limit: number,
  size: (char: string) => number = (char) => char.length,
): string {
  const whole = text.toWellFormed();
  const mark = size("…");
  let used = 0;
  let fits = "";
  let withMark = "";
  for (const char of whole) {
    used += size(char);
    if (used > limit) return `${withMark}…`;
    fits += char;
    if (used + mark <= limit) withMark = fits;
  }
  return fits;
}

/** A mark of Slack's or Google Chat's markup where it may begin: not within a word. */
const MARKS = /(?<![\p{L}\p{N}])[*_~`](?=\S)/gu;
/** What begins a quotation, or an item of a list, where a line begins. */
const LINE_MARKS = /^([ \t]*)(>|[*-](?=[ \t]))/gm;
/** What begins the name of an emoji. A name of digits only is more often a part of a time. */
const EMOJI = /:(?=(?:[\w'+-]*[a-z][\w'+-]*|[+-]1|100|1234):)/gi;

/**
 * `text` in which no mark of Slack's or Google Chat's markup begins anything: neither has a way to
 * escape one, but a space without width in front of it counts as a letter, and within `:name:` ends
 * the name. Names with marks inside only (`DB_POOL_SIZE`) stay as they are, so that they can be
 * copied.
 */
export function withoutMarkup(text: string): string {
  return text
    .replaceAll(MARKS, "\u200B$&")
    .replaceAll(LINE_MARKS, "$1\u200B$2")
    .replaceAll(EMOJI, ":\u200B");
}

/** Bytes of a character in UTF-8. */
export function utf8Size(char: string): number {
  return Buffer.byteLength(char);
}

/** Bytes of a character in a JSON string. */
export function jsonSize(char: string): number {
  return Buffer.byteLength(JSON.stringify(char)) - 2;
}
