import { dig } from "@rollcast/kube/object";
import type { PodTemplate } from "@rollcast/kube/workloads/kind";
import type { Found, Keys, Reference } from "./source-references.ts";
import { containerReferences, isNamed, list, volumeReferences } from "./source-references.ts";

/** The keys that two uses of one source have together. */
export function joinKeys(a: Keys, b: Keys): Keys {
  if (a === "*" || b === "*") return "*";
  return [...new Set([...a, ...b])].toSorted();
}

/** Which references count that do not always. */
export type ReferenceOptions = { readonly imagePullSecrets: boolean };

/**
 * The sources that a pod template uses, each once with all the keys it uses, ordered by kind and name: environment and volumes (also projected, of the
 * Secrets Store CSI driver, and the Secrets with which volume drivers log in) of containers, init containers, sidecars and ephemeral containers; image pull
 * Secrets where asked for. References marked `optional` count. Anything that is not of the expected form is passed over: the API server has checked it already.
 */
export function references(
  template: PodTemplate | undefined,
  options: ReferenceOptions = { imagePullSecrets: false },
): Reference[] {
  const spec = template?.spec;
  const containers = ["initContainers", "containers", "ephemeralContainers"].flatMap((group) =>
    list(dig(spec, group)),
  );
  const found = [
    ...containers.flatMap(containerReferences),
    ...list(dig(spec, "volumes")).flatMap(volumeReferences),
    ...(options.imagePullSecrets ? list(dig(spec, "imagePullSecrets")) : []).map((one): Found => ({
      kind: "Secret",
      name: dig(one, "name"),
      keys: "*",
    })),
  ].filter(isNamed);
  const merged = new Map<string, Reference>();
  for (const { kind, name, keys } of found) {
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
