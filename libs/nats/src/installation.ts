import { z } from "zod";
import { openKvCache } from "./kv-cache.ts";
import { openKv } from "./kv.ts";
import type { Kv } from "./kv.ts";
import { modify } from "./modify.ts";
import type { Nats } from "./connect.ts";
import type { SourceKind } from "@rollcast/shared/events";
import { encodeToken, kindToken } from "@rollcast/shared/subjects";

/**
 * What the bucket `sources` holds of one cluster, by the number of tokens in the key:
 *
 *     <cluster>.installation                  when Rollcast began to look ({@link Installation})
 *     <cluster>.coverage.<kind>[_<namespace>] since when every source of a kind is known ({@link Coverage})
 *     <cluster>.<kind>.<namespace>.<name>     a source (`SourceRecord`); see {@link sourceKeys}
 */

/** What an installation is; written by its watchers. */
export const Installation = z.object({
  v: z.literal(1),
  /** When the first watcher began its first list; milliseconds since the epoch. Written once. */
  installedAt: z.number(),
  /** Id of the installation key; absent where only an older watcher wrote the record. */
  keyId: z.string().optional(),
  /** Ids of the keys before it, without it, newest first; at most {@link MAX_EARLIER}. */
  earlierKeyIds: z.array(z.string()).readonly().optional(),
});
export type Installation = z.infer<typeof Installation>;

const MAX_EARLIER = 16;

/**
 * Every source of a kind (in one namespace, or in all) that existed at `since` is recorded; one
 * first seen later was created later.
 */
export const Coverage = z.object({ v: z.literal(1), since: z.number() });
export type Coverage = z.infer<typeof Coverage>;

/**
 * Filter of the keys of a cluster's source records, of one kind or of all, which leaves the other
 * keys of the bucket out.
 */
export function sourceKeys(cluster: string, kind?: SourceKind): string {
  return `${encodeToken(cluster)}.${kind === undefined ? "*" : kindToken(kind)}.*.*`;
}

function installationKey(cluster: string): string {
  return `${encodeToken(cluster)}.installation`;
}

/**
 * Key of the coverage of a kind; `namespace` undefined: of all namespaces. Kinds hold no `_`, so it
 * is unambiguous.
 */
export function coverageKey(cluster: string, kind: string, namespace?: string): string {
  const inside = namespace === undefined ? "" : `_${encodeToken(namespace)}`;
  return `${encodeToken(cluster)}.coverage.${kindToken(kind)}${inside}`;
}

/** Filter of all coverage keys of a cluster. */
export function coverageKeys(cluster: string): string {
  return `${encodeToken(cluster)}.coverage.*`;
}

export function openInstallation(nats: Nats): Promise<Kv<Installation>> {
  return openKv(nats, "sources", Installation);
}

/**
 * The installation's record; undefined before the first watcher started. Network faults are thrown.
 */
export async function readInstallation(
  kv: Kv<Installation>,
  cluster: string,
): Promise<Installation | undefined> {
  return (await kv.get(installationKey(cluster)))?.value;
}

/** What a watcher knows of its installation when it starts. */
type Present = {
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly keyId: string;
  /** Ids of other keys whose digests count as this installation's own, at most 8. */
  readonly adoptedKeyIds?: readonly string[];
};

/**
 * The record with the present key. The key before it becomes the first of the earlier ones, behind
 * those that are adopted, so that none of these is lost where the list is cut.
 */
export function withKey(
  before: Installation | undefined,
  { now, keyId, adoptedKeyIds = [] }: Present,
): Installation {
  const record = before ?? { v: 1, installedAt: now };
  const earlier = new Set([
    ...adoptedKeyIds,
    record.keyId ?? keyId,
    ...(record.earlierKeyIds ?? []),
  ]);
  earlier.delete(keyId);
  return { ...record, keyId, earlierKeyIds: [...earlier].slice(0, MAX_EARLIER) };
}

/**
 * Makes the installation's record where there is none, and writes the present key into it; what it
 * says then. Network faults are thrown.
 */
export async function ensureInstallation(
  kv: Kv<Installation>,
  cluster: string,
  present: Present,
): Promise<Installation> {
  let next = withKey(undefined, present);
  await modify(kv, installationKey(cluster), (before) => {
    next = withKey(before, present);
    return JSON.stringify(next) === JSON.stringify(before) ? undefined : next;
  });
  return next;
}

/** Writes the record again where NATS has lost it. Network faults are thrown. */
export async function restoreInstallation(
  kv: Kv<Installation>,
  cluster: string,
  record: Installation,
): Promise<void> {
  await kv.create(installationKey(cluster), record);
}

/**
 * Follows the installation's record until `signal` fires. Resolves, when it is read, with what
 * gives its newest state in memory: where NATS lost it, the last one.
 */
export async function followInstallation(
  nats: Nats,
  cluster: string,
  signal: AbortSignal,
): Promise<() => Installation | undefined> {
  const key = installationKey(cluster);
  const { cache } = await openKvCache({ kv: await openInstallation(nats), filter: key, signal });
  let last: Installation | undefined;
  return () => (last = cache.get(key)?.value ?? last);
}
