import { ABSENT, UNKNOWN, sourceKey } from "./content.ts";
import type { SourceKey } from "./content.ts";

/** The annotation on the pod template that records the content its pods started with. */
export const MARKER = "rollcast.dev/config";
const AGAIN = "again";
const MAX_MARKER = 65_536;

function shortKey(key: SourceKey, namespace: string): string {
  const [kind, sourceNamespace, name] = key.split("/");
  return sourceNamespace === namespace ? `${kind}/${name}` : key;
}

/**
 * The marker: compact JSON `{"<kind>/<name>": "<digest of the keys used>"}` with sorted keys
 * (`<kind>/<namespace>/<name>` for another namespace). It holds no time, so writing it twice
 * changes nothing. `again` makes a marker that differs from the one a rollback left on the template
 * for the same content. It is the generation being replaced, so a retry writes the same marker.
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
 * The time (RFC 3339, whole seconds) that a pod must be younger than to have the change made at
 * `changedAt` (ms since the epoch): the end of that second. It differs from `present`, because
 * writing the same time again would restart nothing.
 */
export function restartTime(changedAt: number, present: string | undefined): string {
  const seconds = Math.ceil(changedAt / SECOND_MS);
  const write = (at: number) => new Date(at * SECOND_MS).toISOString().replace(".000Z", "Z");
  return write(seconds) === present ? write(seconds + 1) : write(seconds);
}

/** Digests by source from the marker on a pod template; empty if it is not our marker. */
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
