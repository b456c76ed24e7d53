/** At most the first `max` UTF-16 code units of a text, which is how schemas count; well-formed. */
export function cutText(text: string, max: number): string {
  return text.slice(0, max).toWellFormed();
}

/** The whole characters at the beginning of a text that take at most `max` bytes of UTF-8. */
export function cutBytes(text: string, max: number): string {
  const { read } = new TextEncoder().encodeInto(text, new Uint8Array(max));
  return text.slice(0, read).toWellFormed();
}

/** The first `max` of the names, and how many more there are: `web-0, web-1 and 3 more`. */
export function cutNames(names: readonly string[], max: number): string {
  const first = names.slice(0, max).join(", ");
  return names.length > max ? `${first} and ${names.length - max} more` : first;
}
