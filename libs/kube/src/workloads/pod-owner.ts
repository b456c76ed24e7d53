import { isJobName } from "./manifest.ts";

type Named = { readonly kind: string; readonly name: string };
type Owner = Named & { readonly uid: string };

/**
 * Whether `name` is `<of>-<suffix>`, as controllers name what they make for one template: the
 * suffixes, a hash or a number, have no dash.
 */
function isMadeFor(of: string, name: string): boolean {
  return name.startsWith(`${of}-`) && !name.slice(of.length + 1).includes("-");
}

/**
 * Whether a pod's owner makes the pods of a workload's rollout: the workload itself, a ReplicaSet
 * of a Deployment or an Argo Rollout, a ReplicationController of a DeploymentConfig, or a Job that
 * was run from a CronJob, by their names. `others` are the workload that has borrowed its template,
 * and those that its controller has made of it.
 */
export function ownsPodsOf(workload: Owner, others: readonly (Named & Partial<Owner>)[] = []) {
  const makers = [workload, ...others];
  return ({ kind, name, uid }: Owner): boolean => {
    if (makers.some((maker) => maker.uid === uid)) return true;
    if (kind === "Job") return workload.kind === "CronJob" && isJobName(workload.name, name);
    if (kind !== "ReplicaSet" && kind !== "ReplicationController") return false;
    return makers.some((maker) => isMadeFor(maker.name, name));
  };
}
