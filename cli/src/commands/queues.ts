import { Option } from "commander";
import type { Command } from "commander";
import { listQueues, resumeHalted, updateQueue } from "@rollcast/shared/api/queue-routes";
import type { QueueView } from "@rollcast/shared/api/queue-routes";
import { formatDuration, parseDuration } from "@rollcast/shared/duration";
import type { z } from "zod";
import { call } from "../clients/api-client.ts";
import { apiOf, outputOf, withApi } from "../options.ts";
import type { ApiOptions, OutputOptions } from "../options.ts";
import { parseSource } from "../refs.ts";
import { until } from "../output/format.ts";
import type { Output } from "../output/output.ts";
import { CliError, EXIT } from "../cli-error.ts";

type Options = ApiOptions & OutputOptions & { readonly for?: string };

function rateText(rate: QueueView["file"]["rateLimit"]): string {
  return rate === undefined ? "none" : `${rate.max}/${formatDuration(rate.perMs)}`;
}

function limitText(value: number | undefined): string {
  return value === undefined ? "none" : String(value);
}

/** The value of a setting in the configuration file. */
function fileText({ file }: QueueView, setting: string): string {
  if (setting === "paused") return "running";
  if (setting === "rateLimit") return rateText(file.rateLimit);
  if (setting === "concurrency") return String(file.concurrency);
  return limitText(setting === "maxRolling" ? file.maxRolling : file.maxRollingPerNamespace);
}

function show(out: Output, queues: readonly QueueView[]): void {
  const now = Date.now();
  const rows = queues.map(({ name, effective, paused, rolling }) => [
    name,
    paused
      ? { text: "paused", style: "warn" as const }
      : { text: "running", style: "good" as const },
    String(effective.concurrency),
    rateText(effective.rateLimit),
    limitText(effective.maxRolling),
    limitText(effective.maxRollingPerNamespace),
    String(rolling.length),
  ]);
  out.table(["QUEUE", "STATE", "CONC", "RATE", "MAX ROLLING", "PER NS", "ROLLING"], rows);
  for (const queue of queues) {
    for (const { setting, value, by, until: end } of queue.live) {
      const text = setting === "paused" ? "paused" : `${setting} ${value}`;
      const lasts = end === undefined ? "until taken back" : `ends ${until(end, now)}`;
      const instead = `instead of ${fileText(queue, setting)}`;
      out.line(`${queue.name}: ${text} ${instead}, set by ${by}, ${lasts}`, "dim", 2);
    }
    for (const { sources, failed } of queue.halted) {
      const what = sources.join(", ");
      out.line(`${queue.name}: ${what} halted, ${failed} rollouts of it failed`, "bad", 2);
    }
  }
}

async function update(queue: string, body: UpdateBody, options: Options): Promise<void> {
  const out = outputOf(options);
  const lasting = options.for === undefined ? body : { ...body, for: options.for };
  const answer = await call(apiOf(options), updateQueue, {
    params: { queue },
    body: lasting as UpdateBody,
  });
  out.result(answer, () => show(out, [answer]));
}

async function list(options: Options): Promise<void> {
  const out = outputOf(options);
  const { items } = await call(apiOf(options), listQueues);
  out.result(items, () => show(out, items));
}

type ResumeOptions = Options & { readonly queue?: string; readonly namespace: string };

async function resume(source: string | undefined, options: ResumeOptions): Promise<void> {
  const out = outputOf(options);
  const { queue, namespace } = options;
  const ref = source === undefined ? undefined : parseSource(source, namespace);
  const body = {
    queue,
    source: ref === undefined ? undefined : `${ref.kind}/${ref.namespace}/${ref.name}`,
  };
  const answer = await call(apiOf(options), resumeHalted, { body });
  out.result(answer, () => out.line(`${answer.resumed} halted or failing changes go on`));
}

const FOR = () => new Option("--for <duration>", "only so long, like 2h; else until taken back");

export function addQueues(program: Command): void {
  const queues = program.command("queues").description("see and control the queues of rollouts");
  withApi(
    queues.command("list").description("every queue: its limits and what rolls").action(list),
  );
  const set = queues
    .command("set <queue>")
    .description("set limits over those of the file")
    .option("--concurrency <n>", "patches at once")
    .option("--rate <n/duration>", "jobs in a time, like 5/s; none: no limit")
    .option("--max-rolling <n>", "unfinished rollouts; none: no limit")
    .option("--max-rolling-per-namespace <n>", "the same for each namespace; none: no limit")
    .addOption(FOR())
    .action((name: string, options: Options & QueueLimitOptions) =>
      update(name, limitsOf(options), options),
    );
  withApi(set);
  const pause = queues
    .command("pause <queue>")
    .description("begin no rollout of it")
    .addOption(FOR())
    .action((name: string, options: Options) => update(name, { paused: true }, options));
  withApi(pause);
  const go = queues
    .command("resume <queue>")
    .description("end a pause")
    .action((name: string, options: Options) => update(name, { paused: false }, options));
  withApi(go);
  const reset = queues
    .command("reset <queue>")
    .description("drop every live setting: the file's apply again")
    .action((name: string, options: Options) => update(name, { reset: true }, options));
  withApi(reset);
  const halted = program
    .command("resume [source]")
    .description("let changes go on that were halted because their rollouts failed")
    .option("-n, --namespace <name>", "namespace of the source", "default")
    .option("--queue <name>", "only in this queue")
    .action(resume);
  withApi(halted);
}

type QueueLimitOptions = {
  readonly concurrency?: string;
  readonly rate?: string;
  readonly maxRolling?: string;
  readonly maxRollingPerNamespace?: string;
};

type UpdateBody = z.input<NonNullable<typeof updateQueue.body>>;

function count(text: string, flag: string, clears: boolean): number | null {
  if (clears && text === "none") return null;
  if (/^[1-9]\d{0,3}$/.test(text)) return Number(text);
  const hint = `give a number from 1 to 1000${clears ? ", or none" : ""}`;
  throw new CliError(EXIT.usage, `${flag} ${text} is no limit`, hint);
}

/** `5/s`, `100/1m30s` or `none`. */
function parseRate(text: string): { max: number; perMs: number } | null {
  if (text === "none") return null;
  const [, max, per = ""] = /^([1-9]\d{0,4})\/(.+)$/.exec(text) ?? [];
  const perMs = parseDuration(/^\d/.test(per) ? per : `1${per}`);
  if (max !== undefined && perMs !== undefined && perMs >= 100) return { max: Number(max), perMs };
  throw new CliError(EXIT.usage, `--rate ${text} is no rate`, "write it like 5/s, 100/10s or none");
}

function limitsOf(options: QueueLimitOptions): UpdateBody {
  const { concurrency, rate, maxRolling, maxRollingPerNamespace } = options;
  const limits = {
    concurrency:
      concurrency === undefined ? undefined : (count(concurrency, "--concurrency", false) ?? 1),
    rateLimit: rate === undefined ? undefined : parseRate(rate),
    maxRolling: maxRolling === undefined ? undefined : count(maxRolling, "--max-rolling", true),
    maxRollingPerNamespace:
      maxRollingPerNamespace === undefined
        ? undefined
        : count(maxRollingPerNamespace, "--max-rolling-per-namespace", true),
  };
  if (Object.values(limits).some((limit) => limit !== undefined)) return { limits };
  const hint = "give --concurrency, --rate, --max-rolling or --max-rolling-per-namespace";
  throw new CliError(EXIT.usage, "no limit is named", hint);
}
