import { compareVersions, newerVersion } from "@rollcast/kube/resource-version";
import { encodeToken, kindToken } from "@rollcast/shared/subjects";
import type { Context } from "../context.ts";
import type { Unit } from "../model/scope.ts";

/** Prefix of the keys of a unit's records. */
export function keyPrefix(cluster: string, { kind, namespace }: Unit): string {
  const inside = namespace === undefined ? "" : `${encodeToken(namespace)}.`;
  return `${encodeToken(cluster)}.${kindToken(kind)}.${inside}`;
}

/** Keys of the records of a unit, tombstones included. */
export function keysOf({ cache, config }: Pick<Context, "cache" | "config">, unit: Unit) {
  const prefix = keyPrefix(config.cluster, unit);
  return [...cache.list()].map(({ key }) => key).filter((key) => key.startsWith(prefix));
}

/** One full list of a unit, from before its request to its end. */
export type ListPass = {
  /** Keys of records that the list has not shown yet. */
  readonly missing: Set<string>;
  /**
   * Notes the list's resourceVersion. If it is older than the newest version recorded before the
   * request, the cluster was restored from a backup.
   */
  begun(resourceVersion: string): void;
  restored(): boolean;
};

export function startListPass(
  { cache, config, logger }: Pick<Context, "cache" | "config" | "logger">,
  unit: Unit,
): ListPass {
  const ofUnit = keyPrefix(config.cluster, unit);
  const ofKind = keyPrefix(config.cluster, { kind: unit.kind });
  const missing = new Set<string>();
  let newest: string | undefined;
  let restored = false;
  for (const { key, value } of cache.list()) {
    if (!key.startsWith(ofKind)) continue;
    newest = newerVersion(newest, value.resourceVersion);
    if (key.startsWith(ofUnit)) missing.add(key);
  }
  return {
    missing,
    begun(resourceVersion) {
      restored = newest !== undefined && compareVersions(resourceVersion, newest) < 0;
      if (!restored) return;
      logger.warn(
        { unit, newest, resourceVersion },
        "cluster was restored from a backup, comparing records by content",
      );
    },
    restored: () => restored,
  };
}
