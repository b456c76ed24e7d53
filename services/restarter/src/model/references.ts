import { dig } from "@rollcast/kube/object";
import type { PodTemplate } from "@rollcast/kube/workloads/kind";
import type { RawReference, Keys, Reference } from "./source-references.ts";
import { containerReferences, isNamed, arrayOf, volumeReferences } from "./source-references.ts";

/** Merges the keys of two uses of the same source. */
export function joinKeys(a: Keys, b: Keys): Keys {
  if (a === "*" || b === "*") return "*";
  return [...new Set([...a, ...b])].toSorted();
}

/** Which optional kinds of references count. */
export type ReferenceOptions = { readonly imagePullSecrets: boolean };

/**
 * The sources that a pod template uses, each once with all its used keys, ordered by kind and name.
 * Covers environment and volumes (also projected ones, the Secrets Store CSI driver, and login
 * Secrets of volume drivers) of containers, init containers, sidecars and ephemeral containers, and
 * optionally image pull Secrets. References marked `optional` count. Malformed parts are skipped:
 * the API server has validated the template.
 */
export function references(
  template: PodTemplate | undefined,
  options: ReferenceOptions = { imagePullSecrets: false },
): Reference[] {
  const spec = template?.spec;
  const containers = ["initContainers", "containers", "ephemeralContainers"].flatMap((group) =>
    arrayOf(dig(spec, group)),
  );
  const uses = [
    ...containers.flatMap(containerReferences),
    ...arrayOf(dig(spec, "volumes")).flatMap(volumeReferences),
    ...(options.imagePullSecrets ? arrayOf(dig(spec, "imagePullSecrets")) : []).map(
      (secret): RawReference => ({
        kind: "Secret",
        name: dig(secret, "name"),
        keys: "*",
      }),
    ),
  ].filter(isNamed);
  const merged = new Map<string, Reference>();
  for (const { kind, name, keys } of uses) {
    const id = `${kind}/${name}`;
    const before = merged.get(id);
    const sorted = keys === "*" ? keys : [...new Set(keys)].toSorted();
    merged.set(id, {
      kind,
      name,
      keys: before === undefined ? sorted : joinKeys(before.keys, sorted),
    });
  }
  return [...merged.entries()]
    .toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .map(([, reference]) => reference);
}
