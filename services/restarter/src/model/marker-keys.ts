import type { Installation } from "@rollcast/nats/installation";
import { parseMarker } from "./content.ts";

/** Ids of the installation keys of a marker's digests, each once; empty if it is not our marker. */
export function keyIdsOf(marker: string | undefined): string[] {
  const digests = [...parseMarker(marker, "").values()];
  return [...new Set(digests.map((digest) => digest.slice(0, digest.indexOf("."))))];
}

/**
 * The id among these that is no key of this installation, neither the present one nor an earlier
 * one. Undefined too while the installation's own key is not recorded.
 */
export function otherKeyId(
  keyIds: readonly string[],
  own: Pick<Installation, "keyId" | "earlierKeyIds"> | undefined,
): string | undefined {
  if (own?.keyId === undefined) return undefined;
  const { keyId, earlierKeyIds = [] } = own;
  return keyIds.find((id) => id !== keyId && !earlierKeyIds.includes(id));
}

/** Under which keys two markers were written, where they have none in common. */
export function keysApart(
  mine: string | undefined,
  other: string | undefined,
): { readonly mine: string; readonly other: string } | undefined {
  const [ids, otherIds] = [keyIdsOf(mine), keyIdsOf(other)];
  const [id, otherId] = [ids[0], otherIds[0]];
  if (id === undefined || otherId === undefined) return undefined;
  return otherIds.some((each) => ids.includes(each)) ? undefined : { mine: id, other: otherId };
}
