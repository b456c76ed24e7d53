import { compareVersions } from "@rollcast/kube/resource-version";
import type { SourceRecord } from "@rollcast/shared/records";

/**
 * Whether an observation is not newer than the record. Under another installation key the same
 * version counts as newer, because its digests cannot be compared.
 */
export function isOlder(
  record: SourceRecord,
  resourceVersion: string,
  at: { readonly restored: boolean; readonly keyId?: string },
): boolean {
  const order = compareVersions(resourceVersion, record.resourceVersion);
  const rekeyed = at.keyId !== undefined && at.keyId !== record.keyId;
  return !at.restored && (rekeyed ? order < 0 : order <= 0);
}

/** The version that was restored from, which the event's id includes when the version goes back. */
export function restoredFrom(
  record: SourceRecord,
  resourceVersion: string,
): { restoredFrom?: string } {
  const back = compareVersions(resourceVersion, record.resourceVersion) <= 0;
  return back ? { restoredFrom: record.resourceVersion } : {};
}
