import { withDeadline } from "@rollcast/async/deadline";
import { paginate } from "@rollcast/shared/api/page";
import {
  getStatus,
  getWorkload,
  listStale,
  listWorkloads,
} from "@rollcast/shared/api/workload-routes";
import type { StatusView } from "@rollcast/shared/api/workload-routes";
import type { WorkloadDetail, WorkloadRef } from "@rollcast/shared/api/workload-views";
import { serve } from "@rollcast/shared/api/route";
import type { ApiRoute } from "@rollcast/shared/api/route";
import { ProblemError } from "@rollcast/shared/api/problem";
import type { DecisionInput } from "../decision/decision.ts";
import { faultsOfSource } from "../events/annotation-faults.ts";
import type { WorkloadRecord } from "../model/workload-record.ts";
import { splitKey, workloadKey } from "../model/workload.ts";
import type { WorkloadKey } from "../model/workload.ts";
import type { ApiContext } from "./api-context.ts";
import { decisionView, isoTime, lineOf, sourceViews, statesOf, summaryOf } from "./view.ts";
import type { Context } from "../context.ts";
import { ConflictError, evaluateFresh } from "../reconcile/evaluate.ts";
import type { FreshEvaluation } from "../reconcile/evaluate.ts";

const ROLLOUTS_SHOWN = 5;

async function records({ ctx }: ApiContext): Promise<WorkloadRecord[]> {
  const recordByKey = new Map<string, WorkloadRecord>();
  // A record written meanwhile arrives twice, the newer one last.
  for await (const { key, value } of ctx.records.snapshot(`${ctx.cluster}.>`)) {
    recordByKey.set(key, value);
  }
  return [...recordByKey.values()];
}

function show(api: ApiContext, record: WorkloadRecord) {
  return summaryOf(record, api.queueOf(api.ctx.index.get(workloadKey(record))));
}

async function detail(api: ApiContext, ref: WorkloadRef): Promise<WorkloadDetail> {
  const { decision, input, entry } = await findWorkload(api.ctx, ref);
  const { workload } = input;
  const { record } = decision;
  const events = await api.rolloutEvents(workloadKey(workload));
  const { kind, namespace, name } = workload;
  const queue = api.queueOf(workload);
  const summary =
    entry === undefined
      ? { kind, namespace, name, queue, states: ["current" as const] }
      : summaryOf(entry.value, queue);
  return {
    ...summary,
    uid: workload.uid,
    generation: workload.generation,
    mayRoll: workload.mayRoll,
    ...otherInstallation(api, workloadKey(workload)),
    next: workload.mayRoll
      ? decisionView(decision, workload)
      : { do: "keep", reason: "NotOptedIn" },
    annotationFaults: [...api.ctx.annotationFaults.of(workload), ...sourceFaultViews(input)],
    sources: sourceViews(input, record?.running ?? {}),
    rollouts: (entry?.value.history ?? [])
      .slice(-ROLLOUTS_SHOWN)
      .toReversed()
      .map((ms) => isoTime(ms)),
    events: events.map(lineOf).toReversed(),
  };
}

/** What is wrong with the annotations of the sources, each with the source's key. */
function sourceFaultViews({
  sources,
  rules,
}: DecisionInput): NonNullable<WorkloadDetail["annotationFaults"]> {
  return [...sources].flatMap(([source, record]) =>
    record === undefined || record.deletedAt !== undefined
      ? []
      : faultsOfSource(record, rules).map((fault) => ({ source, ...fault })),
  );
}

function otherInstallation(
  { others }: ApiContext,
  key: WorkloadKey,
): Pick<WorkloadDetail, "otherInstallation"> {
  const [keyId, ownKeyId] = [others.keyIdOf(key), others.ownKeyId()];
  return keyId === undefined || ownKeyId === undefined
    ? {}
    : { otherInstallation: { keyId, ownKeyId } };
}

function otherInstallations({ others }: ApiContext): StatusView["otherInstallations"] {
  const ownKeyId = others.ownKeyId() ?? "";
  return others.all().map(({ keyId, workloads }) => {
    const [first = "//" as WorkloadKey] = workloads;
    return { keyId, ownKeyId, workloads: workloads.length, first: splitKey(first) };
  });
}

async function status(api: ApiContext): Promise<StatusView> {
  const { ctx } = api;
  const states: NonNullable<StatusView["states"]> = {};
  for (const record of await records(api)) {
    for (const state of statesOf(record)) states[state] = (states[state] ?? 0) + 1;
  }
  const all = [...ctx.index.all()];
  return {
    cluster: ctx.cluster,
    mode: ctx.mode,
    workloads: all.length,
    mayRoll: all.filter(({ mayRoll }) => mayRoll).length,
    otherInstallations: otherInstallations(api),
    states,
    ...(await api.self()),
  };
}

/** The read-only routes. */
export function workloadRoutes(api: ApiContext): ApiRoute[] {
  return [
    serve(getStatus, () => status(api)),
    serve(listWorkloads, async ({ query }) => {
      const { kind, namespace, queue, state, notCurrent } = query;
      const all = (await records(api))
        .map((record) => show(api, record))
        .filter((view) => kind === undefined || view.kind === kind)
        .filter((view) => namespace === undefined || view.namespace === namespace)
        .filter((view) => queue === undefined || view.queue === queue)
        .filter((view) => state === undefined || view.states.includes(state))
        .filter((view) => notCurrent !== true || !view.states.includes("current"));
      return paginate(all, workloadKey, query);
    }),
    serve(listStale, async ({ query }) => {
      const { namespace } = query;
      const all = (await records(api))
        .map((record) => show(api, record))
        .filter((view) => view.staleSince !== undefined)
        .filter((view) => namespace === undefined || view.namespace === namespace);
      return paginate(all, (view) => `${view.staleSince}/${workloadKey(view)}`, query);
    }),
    serve(getWorkload, ({ params }) => detail(api, params)),
  ];
}

/** As long as a request to NATS may take. */
const SYNC_MS = 5_000;

/**
 * Waits until the bucket `control` has no gap, for a person waits for the answer. Throws after 5 s:
 * that is a 503, which names the gap.
 */
export function untilSynced({ admission }: Context): Promise<void> {
  return withDeadline(SYNC_MS, admission.synced());
}

/** The present workload, its record and its decision. Throws a problem if there is none. */
export async function findWorkload(ctx: Context, ref: WorkloadRef): Promise<FreshEvaluation> {
  if (!ctx.kinds.has(ref.kind)) {
    const kinds = [...ctx.kinds.keys()].join(", ");
    const detail = `no workloads of the kind ${ref.kind} are watched, only ${kinds}`;
    throw new ProblemError(404, "unknown-kind", detail);
  }
  await untilSynced(ctx);
  try {
    return await evaluateFresh(ctx, workloadKey(ref));
  } catch (err) {
    if (!(err instanceof ConflictError)) throw err;
    const detail = `there is no ${ref.kind} ${ref.name} in the namespace ${ref.namespace}, or it is out of scope`;
    throw new ProblemError(404, "no-such-workload", detail);
  }
}
