import type { AnyObject, Api } from "@rollcast/testkit/test-api";
import { waitFor } from "@rollcast/testkit/wait";

const IRREGULAR: Readonly<Record<string, string>> = { NetworkPolicy: "networkpolicies" };

function pathOf({ apiVersion = "v1", kind = "", metadata }: AnyObject): string {
  const root = apiVersion === "v1" ? "/api/v1" : `/apis/${apiVersion}`;
  const inside = metadata.namespace === undefined ? "" : `/namespaces/${metadata.namespace}`;
  return `${root}${inside}/${IRREGULAR[kind] ?? `${kind.toLowerCase()}s`}/${metadata.name}`;
}

/**
 * Applies each object, as `kubectl apply --server-side --validate=strict` does: what the server
 * does not know is an error.
 */
export async function applyAll(api: Api, objects: readonly AnyObject[]): Promise<void> {
  for (const object of objects) {
    await api.call({
      method: "PATCH",
      path: `${pathOf(object)}?fieldValidation=Strict`,
      body: object,
      contentType: "application/apply-patch+yaml",
    });
  }
}

/**
 * Plays the storage provisioner, which the control plane of the tests does not have, for every
 * claim of the StatefulSets.
 */
export async function bindVolumes(api: Api, namespace: string): Promise<void> {
  const sets = await api.get<{ items: AnyObject[] }>(
    `/apis/apps/v1/namespaces/${namespace}/statefulsets`,
  );
  const path = `/api/v1/namespaces/${namespace}/persistentvolumeclaims`;
  const claims = await waitFor(
    async () => {
      const { items } = await api.get<{ items: AnyObject[] }>(path);
      return items.length === sets.items.length ? items : undefined;
    },
    { message: "the claims of the StatefulSets" },
  );
  for (const { metadata } of claims) {
    const volume = `pv-${metadata.name}`;
    await api.create("/api/v1/persistentvolumes", {
      apiVersion: "v1",
      kind: "PersistentVolume",
      metadata: { name: volume },
      spec: {
        capacity: { storage: "1Ti" },
        accessModes: ["ReadWriteOnce"],
        hostPath: { path: "/tmp" },
        claimRef: {
          kind: "PersistentVolumeClaim",
          namespace,
          name: metadata.name,
          uid: metadata.uid,
        },
      },
    });
    await api.patch(`/api/v1/persistentvolumes/${volume}/status`, { status: { phase: "Bound" } });
    await api.patch(`${path}/${metadata.name}`, {
      metadata: { annotations: { "pv.kubernetes.io/bind-completed": "yes" } },
      spec: { volumeName: volume },
    });
    await api.patch(`${path}/${metadata.name}/status`, { status: { phase: "Bound" } });
  }
}

type Progress = AnyObject & {
  spec: { replicas?: number };
  status?: { availableReplicas?: number; succeeded?: number };
};

/**
 * Waits until every Deployment and StatefulSet has its replicas available, and every Job has
 * succeeded: kwok plays the pods.
 */
export async function available(api: Api, objects: readonly AnyObject[]): Promise<void> {
  for (const object of objects) {
    const kind = object.kind ?? "";
    if (!/^(Deployment|StatefulSet|Job)$/.test(kind)) continue;
    await waitFor(
      async () => {
        const { spec, status = {} } = await api.get<Progress>(pathOf(object));
        if (kind === "Job") return status.succeeded === 1;
        return status.availableReplicas === spec.replicas;
      },
      { message: `${kind} ${object.metadata.name} to be available`, timeout: 60_000 },
    );
  }
}
