import { dig } from "@rollcast/kube/object";
import type { SourceKind } from "@rollcast/shared/events";
import type { PodTemplate } from "@rollcast/kube/workloads/kind";

/** The keys of a source that a workload uses: all, or these (sorted and unique). */
export type Keys = "*" | readonly string[];

/** A source that a pod template uses, in the workload's own namespace. */
export type Reference = { readonly kind: SourceKind; readonly name: string; readonly keys: Keys };

type RawReference = { kind: SourceKind; name: unknown; keys: Keys };

type Named = RawReference & { name: string };

/**
 * A DNS subdomain, as every source name is. A template may hold any text, but a source with an
 * invalid name cannot exist.
 */
const NAME = /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/;

function isNamed(use: RawReference): use is Named {
  return typeof use.name === "string" && NAME.test(use.name);
}

function arrayOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function itemKeys(items: unknown): Keys {
  const entries = arrayOf(items);
  if (entries.length === 0) return "*";
  return entries.map((item) => dig(item, "key")).filter((key) => typeof key === "string");
}

function oneKey(key: unknown): Keys {
  return typeof key === "string" ? [key] : "*";
}

/** The sources in a container's environment, in template order. */
export function containerReferences(container: unknown): Reference[] {
  const uses: RawReference[] = [];
  for (const from of arrayOf(dig(container, "envFrom"))) {
    uses.push({ kind: "ConfigMap", name: dig(from, "configMapRef", "name"), keys: "*" });
    uses.push({ kind: "Secret", name: dig(from, "secretRef", "name"), keys: "*" });
  }
  for (const env of arrayOf(dig(container, "env"))) {
    const configMap = dig(env, "valueFrom", "configMapKeyRef");
    const secret = dig(env, "valueFrom", "secretKeyRef");
    uses.push({
      kind: "ConfigMap",
      name: dig(configMap, "name"),
      keys: oneKey(dig(configMap, "key")),
    });
    uses.push({ kind: "Secret", name: dig(secret, "name"), keys: oneKey(dig(secret, "key")) });
  }
  return uses.filter(isNamed);
}

/**
 * Volume types whose driver logs in with a Secret, `secretRef`
 * (https://kubernetes.io/docs/reference/kubernetes-api/config-and-storage-resources/volume/).
 */
const SECRET_REF_VOLUMES = [
  "cephfs",
  "cinder",
  "flexVolume",
  "iscsi",
  "rbd",
  "scaleIO",
  "storageos",
] as const;

function volumeSecrets(volume: unknown): unknown[] {
  return [
    ...SECRET_REF_VOLUMES.map((type) => dig(volume, type, "secretRef", "name")),
    dig(volume, "azureFile", "secretName"),
    dig(volume, "csi", "nodePublishSecretRef", "name"),
  ];
}

/** The sources of a volume, in template order. */
export function volumeReferences(volume: unknown): Reference[] {
  const configMap = dig(volume, "configMap");
  const secret = dig(volume, "secret");
  const uses: RawReference[] = [
    { kind: "ConfigMap", name: dig(configMap, "name"), keys: itemKeys(dig(configMap, "items")) },
    { kind: "Secret", name: dig(secret, "secretName"), keys: itemKeys(dig(secret, "items")) },
  ];
  const csi = dig(volume, "csi");
  uses.push({
    kind: "SecretProviderClass",
    name: dig(csi, "volumeAttributes", "secretProviderClass"),
    keys: "*",
  });
  for (const name of volumeSecrets(volume)) uses.push({ kind: "Secret", name, keys: "*" });
  for (const source of arrayOf(dig(volume, "projected", "sources"))) {
    const projectedMap = dig(source, "configMap");
    const projectedSecret = dig(source, "secret");
    uses.push(
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
  return uses.filter(isNamed);
}

/** Merges the keys of two uses of the same source. */
function joinKeys(a: Keys, b: Keys): Keys {
  if (a === "*" || b === "*") return "*";
  return [...new Set([...a, ...b])].toSorted();
}

/** Which optional kinds of references count. */
type ReferenceOptions = { readonly imagePullSecrets: boolean };

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
