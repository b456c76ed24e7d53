import { paginate } from "@rollcast/shared/api/page";
import { getStatus, getWorkload, listStale, listWorkloads } from "@rollcast/shared/api/restarter";
import type { StatusView } from "@rollcast/shared/api/restarter";
import type { WorkloadDetail, WorkloadRef } from "@rollcast/shared/api/workload-views";
import { serve } from "@rollcast/shared/api/route";
import type { ApiRoute } from "@rollcast/shared/api/route";
import type { WorkloadRecord } from "../model/workload-record.ts";
import { workloadKey } from "../model/workload.ts";
import type { ApiContext } from "./context.ts";
import { findWorkload } from "./find-workload.ts";
import { decisionView, isoTime, lineOf, sourceViews } from "./view.ts";
import { statesOf, summaryOf } from "./workload-view.ts";

const ROLLOUTS_SHOWN = 5;

async function records({ ctx }: ApiContext): Promise<WorkloadRecord[]> {
  const found = new Map<string, WorkloadRecord>();
  // One that is written meanwhile comes twice, the newer one last.
  for await (const { key, value } of ctx.records.snapshot(`${ctx.cluster}.>`)) {
    found.set(key, value);
  }
  return [...found.values()];
}

function show(api: ApiContext, record: WorkloadRecord) {
  return summaryOf(record, api.queueOf(api.ctx.index.get(workloadKey(record))));
}

async function detail(api: ApiContext, ref: WorkloadRef): Promise<WorkloadDetail> {
  const { decision, input, entry } = await findWorkload(api.ctx, ref);
  const { workload } = input;
  const record = decision.do === "look-again" ? input.record : decision.record;
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
    next: workload.mayRoll ? decisionView(decision) : { do: "keep", reason: "NotOptedIn" },
    sources: sourceViews(input, record?.running ?? {}),
    rollouts: (entry?.value.history ?? []).slice(-ROLLOUTS_SHOWN).toReversed().map(isoTime),
    events: events.map(lineOf).toReversed(),
  };
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
    states,
    ...(await api.self()),
  };
}

/** The routes that only look. */
export function workloadRoutes(api: ApiContext): ApiRoute[] {
  return [
    serve(getStatus, () => status(api)),
    serve(listWorkloads, async ({ query }) => {
      const { kind, namespace, queue, state, unsettled } = query;
      const all = (await records(api))
        .map((record) => show(api, record))
        .filter((one) => kind === undefined || one.kind === kind)
        .filter((one) => namespace === undefined || one.namespace === namespace)
        .filter((one) => queue === undefined || one.queue === queue)
        .filter((one) => state === undefined || one.states.includes(state))
        .filter((one) => unsettled !== true || !one.states.includes("current"));
      return paginate(all, workloadKey, query);
    }),
    serve(listStale, async ({ query }) => {
      const { namespace } = query;
      const all = (await records(api))
        .map((record) => show(api, record))
        .filter((one) => one.staleSince !== undefined)
        .filter((one) => namespace === undefined || one.namespace === namespace);
      return paginate(all, (one) => `${one.staleSince}/${workloadKey(one)}`, query);
    }),
    serve(getWorkload, ({ params }) => detail(api, params)),
  ];
}
