import { randomUUID } from "node:crypto";
import type { Command } from "commander";
import { retryWorkload, rollWorkload } from "@rollcast/shared/api/workload-routes";
import { call } from "../clients/api-client.ts";
import { apiOf, outputOf, withApi } from "../options.ts";
import type { ApiOptions, OutputOptions } from "../options.ts";
import { parseWorkload, refText } from "../refs.ts";

type Options = ApiOptions &
  OutputOptions & { readonly namespace: string; readonly requestId?: string };

async function roll(text: string, options: Options): Promise<void> {
  const out = outputOf(options);
  const params = parseWorkload(text, options.namespace);
  const requestId = options.requestId ?? randomUUID();
  const answer = await call(apiOf(options), rollWorkload, { params, body: { requestId } });
  out.result({ ...answer, requestId }, () => {
    const words = answer.accepted
      ? "is asked to roll"
      : "was asked so before: nothing more is done";
    out.line(`${refText(params)} ${words} (request ${requestId})`);
  });
}

async function retry(text: string, options: Options): Promise<void> {
  const out = outputOf(options);
  const params = parseWorkload(text, options.namespace);
  const answer = await call(apiOf(options), retryWorkload, { params });
  out.result(answer, () => out.line(`${refText(params)} is tried again now`));
}

export function addRequests(program: Command): void {
  const first = program
    .command("roll <workload>")
    .description("roll the present content once more, now")
    .option("-n, --namespace <name>", "its namespace", "default")
    .option("--request-id <id>", "the same id again rolls nothing more; default: a new one")
    .action(roll);
  withApi(first);
  const second = program
    .command("retry <workload>")
    .description("try a refused rollout now instead of later")
    .option("-n, --namespace <name>", "its namespace", "default")
    .action(retry);
  withApi(second);
}
