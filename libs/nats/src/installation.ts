import { z } from "zod";
import { openKv } from "./kv.ts";
import type { Kv } from "./kv.ts";
import type { Nats } from "./connect.ts";
import { encodeToken, kindToken } from "@rollcast/shared/subjects";

/**
 * What the bucket `sources` holds of one cluster, by the number of tokens in the key:
 *
 *     <cluster>.installation                  when Rollcast began to look ({@link Installation})
 *     <cluster>.coverage.<kind>[_<namespace>] since when every source of a kind is known ({@link Coverage})
 *     <cluster>.<kind>.<namespace>.<name>     a source (`SourceRecord`); see {@link sourceKeys}
 */

/**
 * When the first watcher of this installation began its first list; milliseconds since the epoch.
 * Written once.
 */
export const Installation = z.object({ v: z.literal(1), installedAt: z.number() });
export type Installation = z.infer<typeof Installation>;

/**
 * Every source of a kind (in one namespace, or in all) that existed at `since` is recorded; one
 * first seen later was created later.
 */
export const Coverage = z.object({ v: z.literal(1), since: z.number() });
export type Coverage = z.infer<typeof Coverage>;

/**
 * Filter of the keys of a cluster's source records, which leaves the other keys of the bucket out.
 */
export function sourceKeys(cluster: string): string {
  return `${encodeToken(cluster)}.*.*.*`;
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

/**
 * The installation's record, made with `now` (milliseconds since the epoch) where there is none:
 * all replicas get the same.
 */
export async function ensureInstallation(
  kv: Kv<Installation>,
  cluster: string,
  now: number,
): Promise<Installation> {
  const mine: Installation = { v: 1, installedAt: now };
  for (;;) {
    const existing = await readInstallation(kv, cluster);
    if (existing !== undefined) return existing;
    if ((await kv.create(installationKey(cluster), mine)) !== undefined) return mine;
  }
}
