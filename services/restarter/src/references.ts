import { dig } from "@rollcast/kube/object";
import type { PodTemplate } from "@rollcast/kube/workloads/kind";
import type { SourceKind } from "@rollcast/shared/events";

/** The keys of a source that a workload uses: all of them, or these (sorted, each once). */
export type Keys = "*" | readonly string[];

/** A source that a pod template uses, in the workload's own namespace. */
export type Reference = { readonly kind: SourceKind; readonly name: string; readonly keys: Keys };

type Found = { kind: SourceKind; name: unknown; keys: Keys };

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function itemKeys(items: unknown): Keys {
  const entries = list(items);
  if (entries.length === 0) return "*";
  return entries.map((item) => dig(item, "key")).filter((key) => typeof key === "string");
}

function oneKey(key: unknown): Keys {
  return typeof key === "string" ? [key] : "*";
}

function fromContainer(container: unknown): Found[] {
  const found: Found[] = [];
  for (const from of list(dig(container, "envFrom"))) {
    found.push({ kind: "ConfigMap", name: dig(from, "configMapRef", "name"), keys: "*" });
    found.push({ kind: "Secret", name: dig(from, "secretRef", "name"), keys: "*" });
  }
  for (const env of list(dig(container, "env"))) {
    const configMap = dig(env, "valueFrom", "configMapKeyRef");
    const secret = dig(env, "valueFrom", "secretKeyRef");
    found.push({
      kind: "ConfigMap",
      name: dig(configMap, "name"),
      keys: oneKey(dig(configMap, "key")),
    });
    found.push({ kind: "Secret", name: dig(secret, "name"), keys: oneKey(dig(secret, "key")) });
  }
  return found;
}

function fromVolume(volume: unknown): Found[] {
  const configMap = dig(volume, "configMap");
  const secret = dig(volume, "secret");
  const found: Found[] = [
    { kind: "ConfigMap", name: dig(configMap, "name"), keys: itemKeys(dig(configMap, "items")) },
    { kind: "Secret", name: dig(secret, "secretName"), keys: itemKeys(dig(secret, "items")) },
  ];
  for (const source of list(dig(volume, "projected", "sources"))) {
    const projectedMap = dig(source, "configMap");
    const projectedSecret = dig(source, "secret");
    found.push(
      {
        kind: "ConfigMap",
        name: dig(projectedMap, "name"),
        keys: itemKeys(dig(projectedMap, "items")),
      },
      {
        kind: "Secret",
        name: dig(projectedSecret, "name"),
        keys: itemKeys(dig(projectedSecret, "items")),
      },
    );
  }
  return found;
}

/** The keys that two uses of one source have together. */
export function joinKeys(a: Keys, b: Keys): Keys {
  if (a === "*" || b === "*") return "*";
  return [...new Set([...a, ...b])].toSorted();
}

/**
 * The ConfigMaps and Secrets that a pod template uses, each once with all the keys it uses, ordered by kind and name: environment and volumes
 * (also projected) of containers, init containers, sidecars and ephemeral containers. References marked `optional` count.
 * Anything that is not of the expected form is passed over: the API server has checked it already.
 */
export function references(template: PodTemplate | undefined): Reference[] {
  const spec = template?.spec;
  const containers = ["initContainers", "containers", "ephemeralContainers"].flatMap((group) =>
    list(dig(spec, group)),
  );
  const found = [
    ...containers.flatMap(fromContainer),
    ...list(dig(spec, "volumes")).flatMap(fromVolume),
  ];
  const merged = new Map<string, Reference>();
  for (const { kind, name, keys } of found) {
    if (typeof name !== "string" || name === "") continue;
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
