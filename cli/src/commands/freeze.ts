import type { Command } from "commander";
import type { z } from "zod";
import { createFreeze, listFreezes, removeFreeze } from "@rollcast/shared/api/freeze-routes";
import { call } from "../clients/api-client.ts";
import { EXIT, CliError } from "../cli-error.ts";
import { apiOf, outputOf, withApi } from "../options.ts";
import type { ApiOptions, OutputOptions } from "../options.ts";
import { parseWorkload } from "../refs.ts";
import { ago, until } from "../output/format.ts";
import { scopeText } from "./status.ts";

type Options = ApiOptions &
  OutputOptions & {
    readonly namespace?: string;
    readonly cluster?: boolean;
    readonly list?: boolean;
    readonly for?: string;
    readonly comment?: string;
  };

/** What is to be frozen: `--cluster`, `-n shop`, or `deploy/web -n shop`. */
function scopeOf(workload: string | undefined, options: Options) {
  const { namespace, cluster } = options;
  if (cluster === true && (workload !== undefined || namespace !== undefined)) {
    throw new CliError(
      EXIT.usage,
      "--cluster stands alone",
      "leave the namespace and workload out",
    );
  }
  if (cluster === true) return { level: "cluster" } as const;
  if (workload !== undefined) {
    return { level: "workload", ...parseWorkload(workload, namespace ?? "default") } as const;
  }
  if (namespace !== undefined) return { level: "namespace", namespace } as const;
  const hint = "name a workload (deploy/web -n shop), a namespace (-n shop) or --cluster";
  throw new CliError(EXIT.usage, "what is meant?", hint);
}

async function list(options: Options): Promise<void> {
  const out = outputOf(options);
  const { items } = await call(apiOf(options), listFreezes);
  const now = Date.now();
  out.result(items, () => {
    if (items.length === 0) {
      out.line("nothing is frozen");
      return;
    }
    const rows = items.map((freeze) => [
      scopeText(freeze),
      ago(freeze.at, now),
      freeze.until === undefined ? "when unfrozen" : until(freeze.until, now),
      freeze.by,
      freeze.comment ?? "",
    ]);
    out.table(["FROZEN", "SINCE", "ENDS", "BY", "COMMENT"], rows);
  });
}

async function freeze(workload: string | undefined, options: Options): Promise<void> {
  if (options.list === true) return list(options);
  const out = outputOf(options);
  const more = {
    for: options.for,
    comment: options.comment,
  };
  const body = { ...scopeOf(workload, options), ...more };
  const answer = await call(apiOf(options), createFreeze, {
    body: body as z.input<NonNullable<typeof createFreeze.body>>,
  });
  out.result(answer, () => {
    const end = answer.until === undefined ? "until unfrozen" : `until ${answer.until}`;
    out.line(`${scopeText(answer)} is frozen ${end}`);
  });
}

async function unfreeze(workload: string | undefined, options: Options): Promise<void> {
  const out = outputOf(options);
  const query = scopeOf(workload, options);
  await call(apiOf(options), removeFreeze, { query });
  out.result({ unfrozen: query }, () => out.line("unfrozen: what became due is done now"));
}

export function addFreeze(program: Command): void {
  const first = program
    .command("freeze [workload]")
    .description("roll nothing in the cluster, a namespace or of a workload; what is due waits")
    .option("-n, --namespace <name>", "the namespace, or that of the workload")
    .option("--cluster", "the whole cluster")
    .option("--for <duration>", "only so long, like 2h; else until unfrozen")
    .option("--comment <text>", "why, for those who look")
    .option("--list", "only show what is frozen")
    .action(freeze);
  withApi(first);
  const second = program
    .command("unfreeze [workload]")
    .description("take a freeze back")
    .option("-n, --namespace <name>", "the namespace, or that of the workload")
    .option("--cluster", "the whole cluster")
    .action(unfreeze);
  withApi(second);
}
