import type { Command } from "commander";
import { getImpact, getWorkload } from "@rollcast/shared/api/workload-routes";
import type { SourceView, WorkloadDetail } from "@rollcast/shared/api/workload-views";
import { formatDuration } from "@rollcast/shared/duration";
import { call } from "../clients/api-client.ts";
import { apiOf, outputOf, withApi } from "../options.ts";
import type { ApiOptions, OutputOptions } from "../options.ts";
import type { Output } from "../output/output.ts";
import { parseSource, parseWorkload, refText } from "../refs.ts";
import { ago, styleOf, until } from "../output/format.ts";
import type { Row } from "../output/table.ts";

type Options = ApiOptions & OutputOptions & { readonly namespace: string; readonly keys?: string };

function nextText({ next, mayRoll }: WorkloadDetail, now: number): string {
  if (!mayRoll) return "nothing: no annotation opts it in";
  if (next.do === "keep")
    return next.reason === undefined ? "nothing is due" : `nothing: ${next.message ?? next.reason}`;
  if (next.do === "roll") return "a rollout is due now";
  if (next.do === "skip") return "a rollout is due and is reported, not made (observe)";
  if (next.do === "requeue") return "not known yet: the restarter catches up";
  const when = next.at === undefined ? "" : `, ${until(next.at, now)}`;
  return `a rollout waits: ${next.message ?? next.reason ?? "no reason given"}${when}`;
}

function keysText(keys: SourceView["keys"]): string {
  if (keys === undefined) return "";
  return keys === "*" ? "all" : keys.join(",");
}

function sourceRows(sources: readonly SourceView[]): Row[] {
  return sources.map((item) => [
    `${item.kind.toLowerCase()}/${item.name}`,
    keysText(item.keys),
    item.running ?? "",
    item.present,
    item.equal === undefined
      ? ""
      : { text: item.equal ? "equal" : "differs", style: item.equal ? "good" : "bad" },
    { text: item.rolls ? "rolls" : "does not roll" },
  ]);
}

/** A restarter of a version before says nothing of them. */
function showFaults(out: Output, faults: WorkloadDetail["annotationFaults"] = []): void {
  if (faults.length === 0) return;
  out.line();
  out.line("Annotations that cannot be read", "bad");
  const rows = faults.map(({ source, annotation, message }) => [
    source === undefined ? annotation : `${annotation} on ${source}`,
    message,
  ]);
  out.table(["ANNOTATION", "VALUE"], rows);
}

function showChecks(out: Output, sources: readonly SourceView[]): void {
  for (const item of sources) {
    out.line();
    out.line(`Checks on ${item.kind.toLowerCase()}/${item.name}`);
    const rows = item.checks.map(({ check, applies }) => [
      { text: applies ? "applies" : "no", style: applies ? "good" : "dim" } as const,
      check,
      applies ? item.message : "",
    ]);
    out.table(["VERDICT", "CHECK", "MESSAGE"], rows);
  }
}

async function explain(text: string, options: Options): Promise<void> {
  const out = outputOf(options);
  const ref = parseWorkload(text, options.namespace);
  const detail = await call(apiOf(options), getWorkload, { params: ref });
  const now = Date.now();
  out.result(detail, () => {
    out.line(refText(ref));
    out.line(`State  ${detail.states.join(", ")}`, styleOf(detail.states));
    out.line(`Queue  ${detail.queue}`);
    out.line(`Next   ${nextText(detail, now)}`);
    if (detail.otherInstallation !== undefined) {
      const { keyId, ownKeyId } = detail.otherInstallation;
      out.line(`Other  another installation (key ${keyId}, ours ${ownKeyId}) rolls it too`, "bad");
    }
    if (detail.failure !== undefined) {
      out.line(`Failed ${detail.failure.reason}: ${detail.failure.message}`, "bad");
    }
    out.line();
    if (detail.sources.length === 0) out.line("It uses no ConfigMap and no Secret.");
    else {
      const head = ["SOURCE", "KEYS", "RUNNING", "PRESENT", "CONTENT", "A CHANGE"];
      out.table(head, sourceRows(detail.sources));
    }
    showFaults(out, detail.annotationFaults);
    showChecks(out, detail.sources);
    if (detail.events.length === 0) return;
    out.line();
    out.line("Last of each outcome");
    const rows = detail.events.map((item) => [
      ago(item.at, now),
      { text: item.outcome, style: item.outcome === "failed" ? ("bad" as const) : undefined },
      item.durationMs === undefined ? "" : formatDuration(item.durationMs),
      item.cause === undefined ? "" : `${item.cause.kind.toLowerCase()}/${item.cause.name}`,
      [item.reason, item.message].filter((part) => part !== undefined).join(": "),
    ]);
    out.table(["WHEN", "OUTCOME", "TOOK", "CAUSE", "REASON"], rows);
  });
}

async function impact(text: string, options: Options): Promise<void> {
  const out = outputOf(options);
  const api = apiOf(options);
  const ref = parseSource(text, options.namespace);
  const kind = ref.kind as "ConfigMap" | "Secret" | "SecretProviderClass";
  const keys = options.keys === undefined ? {} : { keys: options.keys };
  const items: Awaited<ReturnType<typeof page>>["items"] = [];
  const page = (cursor: string | undefined) =>
    call(api, getImpact, {
      query: { ...ref, kind, ...keys, limit: 500, cursor },
    });
  let answer = await page(undefined);
  items.push(...answer.items);
  while (answer.next !== undefined) {
    answer = await page(answer.next);
    items.push(...answer.items);
  }
  const rolling = items.filter(({ would }) => would === "roll" || would === "wait");
  const now = Date.now();
  out.result({ source: answer.source, exists: answer.exists, items }, () => {
    if (!answer.exists) out.line(`${refText(ref)} is not there, or out of scope`, "warn");
    out.line(`${rolling.length} of ${items.length} workloads that use it would roll`);
    if (items.length === 0) return;
    out.line();
    const rows = items.map((item) => [
      refText(item),
      {
        text: item.at === undefined ? item.would : `${item.would} ${until(item.at, now)}`,
        style: item.would === "keep" ? ("dim" as const) : ("warn" as const),
      },
      item.check,
      item.message,
    ]);
    out.table(["WORKLOAD", "WOULD", "CHECK", "WHY"], rows);
  });
}

export function addExplain(program: Command): void {
  const first = program
    .command("explain <workload>")
    .description("why a workload rolls or does not: each source, each check, what is next")
    .option("-n, --namespace <name>", "its namespace", "default")
    .action(explain);
  withApi(first);
  const second = program
    .command("impact <source>")
    .description(
      "what would roll if this ConfigMap or Secret changed, and why the others would not",
    )
    .option("-n, --namespace <name>", "its namespace", "default")
    .option("--keys <a,b>", "the keys that would change; default: all")
    .action(impact);
  withApi(second);
}
