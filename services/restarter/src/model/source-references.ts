import { dig } from "@rollcast/kube/object";
import type { SourceKind } from "@rollcast/shared/events";

/** The keys of a source that a workload uses: all of them, or these (sorted, each once). */
export type Keys = "*" | readonly string[];

/** A source that a pod template uses, in the workload's own namespace. */
export type Reference = { readonly kind: SourceKind; readonly name: string; readonly keys: Keys };

export type Found = { kind: SourceKind; name: unknown; keys: Keys };

type Named = Found & { name: string };

/** A DNS subdomain, as the names of all sources are: a template may hold any text, and what cannot exist cannot change. */
const NAME = /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/;

export function isNamed(found: Found): found is Named {
  return typeof found.name === "string" && NAME.test(found.name);
}

export function list(value: unknown): readonly unknown[] {
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

/** The sources that a container's environment uses, as they stand there. */
export function containerReferences(container: unknown): Reference[] {
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
  return found.filter(isNamed);
}

/** Kinds of volumes whose driver logs in with a Secret, `secretRef` (https://kubernetes.io/docs/reference/kubernetes-api/config-and-storage-resources/volume/). */
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

/** The sources that a volume uses, as they stand there. */
export function volumeReferences(volume: unknown): Reference[] {
  const configMap = dig(volume, "configMap");
  const secret = dig(volume, "secret");
  const found: Found[] = [
    { kind: "ConfigMap", name: dig(configMap, "name"), keys: itemKeys(dig(configMap, "items")) },
    { kind: "Secret", name: dig(secret, "secretName"), keys: itemKeys(dig(secret, "items")) },
  ];
  const csi = dig(volume, "csi");
  found.push({
    kind: "SecretProviderClass",
    name: dig(csi, "volumeAttributes", "secretProviderClass"),
    keys: "*",
  });
  for (const name of volumeSecrets(volume)) found.push({ kind: "Secret", name, keys: "*" });
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
  return found.filter(isNamed);
}
