import { apiPath } from "@rollcast/kube/api-path";
import { KubeError, isTransient } from "@rollcast/kube/client";
import type { KubeClient } from "@rollcast/kube/client";
import { dig } from "@rollcast/kube/object";
import type { KubeObject } from "@rollcast/kube/object";
import type { PodTemplateRef, WorkloadKind } from "@rollcast/kube/workloads/kind";
import { annotationFault } from "../model/annotation-values.ts";
import type { Rules } from "../model/rules.ts";
import type { Workload } from "../model/workload.ts";
import { projectWorkload } from "./project-workload.ts";

/**
 * Transforms an object to what the index keeps. One that uses the template of a PodTemplate or
 * ReplicaSet has it read first, once for each template of it that its controller has observed:
 * nobody watches all of those. Rejects where the API server does not answer.
 */
export type Project = (kind: WorkloadKind, object: KubeObject) => Workload | Promise<Workload>;

/** What was read; `problem`: why it could not be. */
type Read = {
  readonly observed?: string;
  readonly template?: unknown;
  readonly problem?: string;
};

/** More templates than Rollouts use; without bound the deleted ones would stay. */
const MAX_TEMPLATES = 1_000;

/** Aborted by `signal`, a read rejects. */
export function createProject(
  client: Pick<KubeClient, "request">,
  rules: Rules,
  signal: AbortSignal,
): Project {
  const templates = new Map<string, Read>();
  const read = async (path: string, ref: PodTemplateRef): Promise<Read> => {
    const before = templates.get(path);
    if (before?.observed === ref.observed) return before;
    try {
      const owner = await client.request<KubeObject>({ method: "GET", path, signal });
      const current = { observed: ref.observed, template: dig(owner, ...ref.path) };
      if (templates.size >= MAX_TEMPLATES) templates.clear();
      templates.set(path, current);
      return current;
    } catch (err) {
      // What another request cannot mend must not keep the watch of all Rollouts from going on.
      if (!(err instanceof KubeError) || isTransient(err) || err.status === 401) throw err;
      // Its pods run on with the template that was.
      return before ?? { problem: err.status === 404 ? "does not exist" : "cannot be read" };
    }
  };
  return (kind, object) => {
    const ref = kind.podTemplateRef?.(object);
    if (ref === undefined) return projectWorkload(kind, object, rules);
    return read(apiPath(ref, object.metadata.namespace, ref.name), ref).then(
      ({ template, problem }) => {
        const spec = { ...(object.spec as object), template };
        const workload = projectWorkload(kind, { ...object, spec }, rules);
        if (problem === undefined) return workload;
        const why = `${problem}: only sources that an annotation names count`;
        const fault = annotationFault("spec.workloadRef", `${ref.kind} ${ref.name}`, why);
        return { ...workload, faults: [...workload.faults, fault] };
      },
    );
  };
}
