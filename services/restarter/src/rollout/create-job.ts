import { KubeError } from "@rollcast/kube/client";
import type { KubeObject } from "@rollcast/kube/object";
import { FIELD_MANAGER } from "@rollcast/kube/patch";
import { apiPath } from "@rollcast/kube/api-path";
import { job } from "@rollcast/kube/workloads/job";
import type { Context } from "../context.ts";
import { ConflictError } from "../reconcile/evaluate.ts";

/** The API server's time limit for one write, in milliseconds. */
export const WRITE_MS = 15_000;

/**
 * Creates a Job; returns the existing one if its name is in use. Throws {@link ConflictError} if
 * that one is gone a moment later.
 */
export async function createJob(
  ctx: Context,
  namespace: string,
  body: unknown,
): Promise<KubeObject> {
  try {
    return await ctx.kube.request<KubeObject>({
      method: "POST",
      path: apiPath(job, namespace),
      query: { fieldManager: FIELD_MANAGER },
      body,
      timeoutMs: WRITE_MS,
    });
  } catch (err) {
    if (!(err instanceof KubeError) || err.reason !== "AlreadyExists") throw err;
    const { name } = (body as KubeObject).metadata;
    return present(ctx, apiPath(job, namespace, name));
  }
}

async function present(ctx: Context, path: string): Promise<KubeObject> {
  try {
    return await ctx.kube.request<KubeObject>({ method: "GET", path });
  } catch (err) {
    if (!(err instanceof KubeError) || err.status !== 404) throw err;
    throw new ConflictError("the Job that was there is gone now", { cause: err });
  }
}
