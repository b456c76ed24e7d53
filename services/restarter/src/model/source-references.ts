import { dig } from "@rollcast/kube/object";
import type { SourceKind } from "@rollcast/shared/events";

/** The keys of a source that a workload uses: all, or these (sorted and unique). */
export type Keys = "*" | readonly string[];

/** A source that a pod template uses, in the workload's own namespace. */
export type Reference = { readonly kind: SourceKind; readonly name: string; readonly keys: Keys };

export type RawReference = { kind: SourceKind; name: unknown; keys: Keys };

type Named = RawReference & { name: string };

/**
 * A DNS subdomain, as every source name is. A template may hold any text, but a source with an
 * invalid name cannot exist.
 */
const NAME = /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/;

export function isNamed(use: RawReference): use is Named {
  return typeof use.name === "string" && NAME.test(use.name);
}

export function arrayOf(value: unknown): readonly unknown[] {
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
