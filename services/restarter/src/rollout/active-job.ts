import { KubeError } from "@rollcast/kube/client";
import { apiPath } from "@rollcast/kube/api-path";
import { dig } from "@rollcast/kube/object";
import type { KubeObject } from "@rollcast/kube/object";
import { MERGE_PATCH } from "@rollcast/kube/patch";
import type { WorkloadKind } from "@rollcast/kube/workloads/kind";
import type { Context } from "../context.ts";
import { ConflictError, retryOnConflict } from "../reconcile/evaluate.ts";

type Reference = { readonly uid?: string };

/** The CronJob's controller writes the same list. */
const MAX_ATTEMPTS = 5;

/** The active Jobs of a CronJob with one more; undefined if it is one of them already. */
function activeWith(cronJob: KubeObject, job: KubeObject): readonly Reference[] | undefined {
  const listed = dig(cronJob, "status", "active");
  const active = Array.isArray(listed) ? (listed as Reference[]) : [];
  const { uid, name, namespace, resourceVersion } = job.metadata;
  if (active.some((reference) => reference.uid === uid)) return undefined;
  const reference = { apiVersion: "batch/v1", kind: "Job", name, namespace, uid, resourceVersion };
  return [...active, reference];
}

/**
 * Adds a Job to the active ones in the status of its CronJob, where the CronJob's controller keeps
 * its own: so it begins none beside it (`Forbid`), or deletes it for the next (`Replace`). Where
 * the API server does not take that, the Job runs all the same, and a warning says so.
 */
export async function addActive(
  { kube, logger }: Pick<Context, "kube" | "logger">,
  kind: WorkloadKind,
  decidedOn: KubeObject,
  job: KubeObject,
): Promise<void> {
  const { name, namespace, uid } = decidedOn.metadata;
  const path = apiPath(kind, namespace, name);
  let read: KubeObject | undefined = decidedOn;
  const add = async () => {
    const present = read ?? (await kube.request<KubeObject>({ method: "GET", path }));
    read = undefined;
    const active = activeWith(present, job);
    if (active === undefined) return;
    const { resourceVersion } = present.metadata;
    try {
      await kube.request({
        method: "PATCH",
        path: `${path}/status`,
        contentType: MERGE_PATCH,
        body: { metadata: { uid, resourceVersion }, status: { active } },
      });
    } catch (err) {
      if (!(err instanceof KubeError) || err.status !== 409) throw err;
      throw new ConflictError("the CronJob's status has changed", { cause: err });
    }
  };
  try {
    await retryOnConflict(add, MAX_ATTEMPTS);
  } catch (thrown) {
    const err = thrown instanceof ConflictError ? thrown.cause : thrown;
    if (!(err instanceof KubeError)) throw thrown;
    const workload = { kind: kind.kind, namespace, name };
    const about = { err, workload, job: job.metadata.name };
    logger.warn(about, "Job not added to the CronJob's status, a schedule may run beside it");
  }
}
