/**
 * Orders two resourceVersions of one resource type: negative, zero or positive as `a` is older,
 * equal or newer than `b`. They are decimal integers of any size (KEP-5504). Anything else compares
 * as older than every integer.
 */
export function compareVersions(a: string, b: string): number {
  const left = digits(a);
  const right = digits(b);
  if (left.length !== right.length) return left.length - right.length;
  return left < right ? -1 : left > right ? 1 : 0;
}

function digits(version: string): string {
  return /^\d+$/.test(version) ? version.replace(/^0+/, "") : "";
}

/** The newer of two resourceVersions; undefined stands for none. */
export function newerVersion(a: string | undefined, b: string): string {
  return a !== undefined && compareVersions(a, b) >= 0 ? a : b;
}
