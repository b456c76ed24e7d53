import { dig, digNumber } from "@rollcast/kube/object";
import type { Admission } from "./object-store.ts";
import { forbidden } from "./status-error.ts";

const ENDED = new Set(["Succeeded", "Failed"]);

/** The quota of pods in a namespace, as its ResourceQuota objects (`spec.hard.pods`) have it. */
export const podQuota: Admission = ({ operation, object }, store) => {
  const { namespace, name = "", generateName = "" } = object.metadata;
  if (operation !== "CREATE" || object.kind !== "Pod") return undefined;
  const used = store
    .list("Pod", namespace)
    .filter(({ status }) => !ENDED.has(String(status?.phase))).length;
  for (const quota of store.list("ResourceQuota", namespace)) {
    const limit = digNumber({ pods: Number(dig(quota.spec, "hard", "pods")) }, Infinity, "pods");
    if (used + 1 <= limit) continue;
    const why = `exceeded quota: ${quota.metadata.name}, requested: pods=1, used: pods=${used}, limited: pods=${limit}`;
    throw forbidden({ resource: "pods", group: "", name: name || generateName }, why);
  }
  return undefined;
};
