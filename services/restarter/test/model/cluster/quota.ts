import { dig, digNumber } from "@rollcast/kube/object";
import type { Admission, ObjectStore } from "./object-store.ts";
import type { Fields, KubeObject } from "./object.ts";
import { forbidden } from "./status-error.ts";

const ENDED = new Set(["Succeeded", "Failed"]);
const STATUS = { manager: "kube-apiserver", subresource: "status" } as const;

const podsOf = (amounts: unknown) => digNumber({ pods: Number(dig(amounts, "pods")) }, NaN, "pods");

/** The status of a ResourceQuota on pods that counts those which are there. */
export function countedQuota(store: ObjectStore, quota: KubeObject): Fields {
  const pods = store.list("Pod", quota.metadata.namespace);
  const used = pods.filter(({ status }) => !ENDED.has(String(status?.phase))).length;
  return { hard: dig(quota.spec, "hard") ?? {}, used: { pods: String(used) } };
}

/**
 * Refuses pods beyond the quota (`spec.hard.pods`), as the API server does: by the amounts in the
 * quota's status, in which it counts each pod that it lets in. A quota without a status refuses
 * nothing yet, one that was raised refuses still, and pods that have ended count, until its
 * controller has counted (`controllers/resource-quota.ts`).
 * https://kubernetes.io/docs/concepts/policy/resource-quotas/
 */
export const podQuota: Admission = ({ operation, object }, store) => {
  const { namespace, name = "", generateName = "" } = object.metadata;
  if (operation !== "CREATE" || object.kind !== "Pod") return undefined;
  const quotas = store
    .list("ResourceQuota", namespace)
    .filter(({ status }) => Number.isFinite(podsOf(status?.hard)));
  for (const { metadata, status } of quotas) {
    const [limit, used] = [podsOf(status?.hard), podsOf(status?.used)];
    if (used + 1 <= limit) continue;
    const why = `exceeded quota: ${metadata.name}, requested: pods=1, used: pods=${used}, limited: pods=${limit}`;
    throw forbidden({ resource: "pods", group: "", name: name || generateName }, why);
  }
  for (const quota of quotas) {
    const used = { pods: String(podsOf(quota.status?.used) + 1) };
    store.update({ ...quota, status: { ...quota.status, used } }, STATUS);
  }
  return undefined;
};
