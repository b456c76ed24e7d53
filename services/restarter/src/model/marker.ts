import { ABSENT, UNKNOWN, sourceKey } from "./content.ts";
import type { SourceKey } from "./content.ts";

/** The annotation on the pod template that says with which content its pods were started. */
export const MARKER = "rollcast.dev/config";
const AGAIN = "again";
const MAX_MARKER = 65_536;

function shortKey(key: SourceKey, namespace: string): string {
  const [kind, sourceNamespace, name] = key.split("/");
  return sourceNamespace === namespace ? `${kind}/${name}` : key;
}

/**
 * The marker: compact JSON `{"<kind>/<name>": "<digest of the keys used>"}` (`<kind>/<namespace>/<name>` for another namespace), keys sorted. It holds no
 * time, so writing it twice changes nothing. `again` makes a marker that differs from one that a rollback left on the template with the same
 * content; it is the generation that is overwritten, so a repeated try writes the same.
 */
export function formatMarker(
  contents: Readonly<Record<SourceKey, { digest: string }>>,
  namespace: string,
  again?: number,
): string {
  const pairs = Object.entries(contents)
    .filter(([, content]) => content.digest !== ABSENT && content.digest !== UNKNOWN)
    .map(([key, content]) => [shortKey(key as SourceKey, namespace), content.digest] as const)
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify({
    ...Object.fromEntries(pairs),
    ...(again === undefined ? {} : { [AGAIN]: String(again) }),
  });
}

const SECOND_MS = 1_000;

/**
 * The time (RFC 3339, whole seconds) before which no pod may have been made that is to have what changed at `changedAt` (milliseconds since the epoch): the end of that
 * second, and another than `present`, since the same time again would restart nothing.
 */
export function restartTime(changedAt: number, present: string | undefined): string {
  const seconds = Math.ceil(changedAt / SECOND_MS);
  const write = (at: number) => new Date(at * SECOND_MS).toISOString().replace(".000Z", "Z");
  return write(seconds) === present ? write(seconds + 1) : write(seconds);
}

/** Digests by source of a marker found on a pod template; empty where it is none of ours. */
export function parseMarker(text: string | undefined, namespace: string): Map<SourceKey, string> {
  const digests = new Map<SourceKey, string>();
  if (text === undefined || text.length > MAX_MARKER) return digests;
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch {
    return digests;
  }
  if (typeof raw !== "object" || raw === null || Array.isArray(raw)) return digests;
  for (const [key, digest] of Object.entries(raw)) {
    const parts = key.split("/");
    if (typeof digest !== "string" || !/^[a-z0-9]+\.[0-9a-f]{32}$/.test(digest)) continue;
    const [kind = "", second = "", third] = parts;
    if (parts.length === 2) digests.set(sourceKey(kind, namespace, second), digest);
    else if (parts.length === 3 && third !== undefined) {
      digests.set(sourceKey(kind, second, third), digest);
    }
  }
  return digests;
}
