import { ProblemError } from "@rollcast/shared/api/problem";
import { retryWorkload, rollWorkload } from "@rollcast/shared/api/workload-routes";
import type { WorkloadRef } from "@rollcast/shared/api/workload-views";
import { serve } from "@rollcast/shared/api/route";
import type { ApiRoute } from "@rollcast/shared/api/route";
import { leftToOwner, reportOnly } from "../model/workload.ts";
import { ConflictError, retryOnConflict } from "../reconcile/evaluate.ts";
import type { Evaluation } from "../reconcile/evaluate.ts";
import type { WorkloadRecord } from "../model/workload-record.ts";
import { commit, reconcile } from "../reconcile/reconcile.ts";
import { withRequest } from "../decision/rollout.ts";
import { workloadKey } from "../model/workload.ts";
import type { ApiContext } from "./api-context.ts";
import { findWorkload } from "./workload-routes.ts";

function checkRollable({ input }: Evaluation): void {
  if (!input.workload.mayRoll) {
    const detail =
      "no annotation opts the workload in, so Rollcast rolls it never: annotate it, or use kubectl rollout restart";
    throw new ProblemError(409, "not-opted-in", detail);
  }
  const owned = leftToOwner(input.workload);
  if (owned !== undefined) {
    const detail = `the Job belongs to a controller: ${owned.message}`;
    throw new ProblemError(409, owned.reason, detail);
  }
  const reportReason = reportOnly(input);
  if (reportReason === "Observe") {
    throw new ProblemError(
      409,
      reportReason,
      "the configuration says mode: observe, so nothing is rolled",
    );
  }
  if (reportReason === "Notify") {
    const detail = "the workload has the annotation rollcast.dev/effect, so it is never rolled";
    throw new ProblemError(409, reportReason, detail);
  }
}

/** Writes the record as changed by `change`; false if it changes nothing. */
async function update(
  api: ApiContext,
  ref: WorkloadRef,
  change: (record: WorkloadRecord) => WorkloadRecord | undefined,
): Promise<boolean> {
  const updateNow = async () => {
    const evaluation = await findWorkload(api.ctx, ref);
    checkRollable(evaluation);
    const { entry, input } = evaluation;
    if (entry === undefined || entry.value.uid !== input.workload.uid) {
      await reconcile(api.ctx, workloadKey(ref));
      throw new ConflictError("the workload had no record yet");
    }
    const next = change(entry.value);
    if (next === undefined) return false;
    await commit(api.ctx, entry, next);
    return true;
  };
  try {
    return await retryOnConflict(updateNow);
  } catch (err) {
    if (!(err instanceof ConflictError)) throw err;
    const detail = "the workload changes faster than the request can be recorded: retry";
    throw new ProblemError(409, "conflict", detail);
  }
}

/** Makes the retry of a refused rollout due now. */
function dueNow(record: WorkloadRecord): WorkloadRecord {
  const { failure } = record;
  if (failure === undefined) {
    const detail =
      record.phase === "failed"
        ? "its pods have the present content, and the rollout did not become healthy: mend it, or roll it again"
        : "nothing of it waits for another attempt";
    throw new ProblemError(409, "nothing-to-retry", detail);
  }
  return { ...record, failure: { ...failure, retryAt: Date.now() } };
}

/** The routes by which people request a rollout. */
export function requestRoutes(api: ApiContext): ApiRoute[] {
  return [
    serve(rollWorkload, async ({ params, body, actor }) => {
      const request = { id: body.requestId, by: actor ?? "api", at: Date.now() };
      const accepted = await update(api, params, (record) => withRequest(record, request));
      // Also for a repeated request: the first one may have been interrupted before this.
      await api.enqueueJob(workloadKey(params));
      return { workload: params, accepted };
    }),
    serve(retryWorkload, async ({ params }) => {
      const accepted = await update(api, params, dueNow);
      await api.enqueueJob(workloadKey(params));
      return { workload: params, accepted };
    }),
  ];
}
