import type { Command } from "commander";
import { getStatus, listWorkloads } from "@rollcast/shared/api/workload-routes";
import type { WorkloadSummary } from "@rollcast/shared/api/workload-views";
import { listFreezes } from "@rollcast/shared/api/freeze-routes";
import { listQueues } from "@rollcast/shared/api/queue-routes";
import type { FreezeView } from "@rollcast/shared/api/freeze-routes";
import { call, callAll } from "../clients/api-client.ts";
import { apiOf, outputOf, withApi } from "../options.ts";
import type { ApiOptions, OutputOptions } from "../options.ts";
import { refText } from "../refs.ts";
import { ago, counts, styleOf, until } from "../output/format.ts";

/** Why a workload is in its state, in a sentence. */
export function whyOf(item: WorkloadSummary, now: number): string {
  const { failure, due, rollout, last } = item;
  if (failure !== undefined) {
    return `${failure.reason}: ${failure.message} (attempt ${failure.attempts + 1} ${until(failure.retryAt, now)})`;
  }
  if (due !== undefined) {
    return due.at === undefined
      ? `waits: ${due.reason}`
      : `waits: ${due.reason}, due ${until(due.at, now)}`;
  }
  if (rollout !== undefined) {
    const { cause } = rollout;
    const why = cause === undefined ? "" : ` for ${cause.kind.toLowerCase()}/${cause.name}`;
    return `${rollout.stalled ? "stalled" : "rolling"}${why} since ${ago(rollout.startedAt, now)}`;
  }
  return last?.outcome === "failed" ? `last rollout failed: ${last.reason}` : "";
}

/** What a freeze covers. */
export function scopeText(freeze: FreezeView): string {
  const { level, kind = "", namespace = "", name = "" } = freeze;
  if (level === "cluster") return "the cluster";
  return level === "namespace" ? `namespace ${namespace}` : refText({ kind, namespace, name });
}

type Options = ApiOptions & OutputOptions & { readonly namespace?: string };

async function status(options: Options): Promise<void> {
  const api = apiOf(options);
  const out = outputOf(options);
  const { namespace } = options;
  const query = { notCurrent: "true", namespace };
  const [about, notCurrent, queues, freezes] = await Promise.all([
    call(api, getStatus),
    callAll(api, listWorkloads, query),
    call(api, listQueues),
    call(api, listFreezes),
  ]);
  const now = Date.now();
  const halted = queues.items.flatMap((queue) =>
    queue.halted.map((item) => ({ queue: queue.name, ...item })),
  );
  out.result({ ...about, notCurrent, halted, freezes: freezes.items }, () => {
    out.line(`cluster ${about.cluster}, mode ${about.mode}`);
    out.line(`${about.mayRoll} of ${about.workloads} workloads may roll: ${counts(about.states)}`);
    for (const fault of about.faults) out.line(`fault of ${about.instance}: ${fault}`, "bad");
    for (const freeze of freezes.items) {
      const end = freeze.until === undefined ? "until unfrozen" : until(freeze.until, now);
      out.line(`frozen: ${scopeText(freeze)}, ends ${end}, by ${freeze.by}`, "warn");
    }
    for (const { queue, sources, failed } of halted) {
      const what = sources.join(", ");
      out.line(`halted in queue ${queue}: ${what}, ${failed} rollouts of it failed`, "bad");
    }
    if (notCurrent.length === 0) return;
    out.line();
    const rows = notCurrent.map((item) => [
      refText(item),
      { text: item.states.join(","), style: styleOf(item.states) },
      ago(item.staleSince, now),
      whyOf(item, now),
    ]);
    out.table(["WORKLOAD", "STATE", "STALE SINCE", "WHY"], rows);
  });
}

export function addStatus(program: Command): void {
  const command = program
    .command("status")
    .description("what is stale, rolling, failed, throttled, halted or frozen")
    .option("-n, --namespace <name>", "only workloads of this namespace")
    .action(status);
  withApi(command);
}
