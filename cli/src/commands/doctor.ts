import process from "node:process";
import type { Command } from "commander";
import { getStatus } from "@rollcast/shared/api/workload-routes";
import { call } from "../clients/api-client.ts";
import { checkKube, checkReloader, checkRights } from "../doctor/check-cluster.ts";
import { checkApi } from "../doctor/check-api.ts";
import { checkNats } from "../doctor/check-nats.ts";
import { ok, todo } from "../doctor/finding.ts";
import type { Finding } from "../doctor/finding.ts";
import { EXIT, CliError } from "../cli-error.ts";
import { openKube } from "../clients/kube.ts";
import type { KubeOptions } from "../clients/kube.ts";
import { hasNatsTarget, openNats, withNats } from "../clients/nats.ts";
import type { NatsTargetOptions } from "../clients/nats.ts";
import { apiOf, outputOf, withApi } from "../options.ts";
import type { ApiOptions, OutputOptions } from "../options.ts";

type Options = ApiOptions & OutputOptions & KubeOptions & NatsTargetOptions;

/** The findings of a check; if the check cannot run, that is its finding. */
async function findingsOf(about: string, check: () => Promise<Finding[]>): Promise<Finding[]> {
  try {
    return await check();
  } catch (err) {
    if (!(err instanceof CliError)) throw err;
    return [todo(about, err.message, err.hint ?? "")];
  }
}

async function cluster(options: Options): Promise<Finding[]> {
  await using kube = await openKube(options);
  const reached = await checkKube(kube);
  if (!reached.every((finding) => finding.ok)) return reached;
  return [...reached, ...(await checkRights(kube)), ...(await checkReloader(kube))];
}

async function nats(options: Options): Promise<Finding[]> {
  if (!hasNatsTarget(options)) {
    return [ok("nats", "not looked at: name it by --nats or --config")];
  }
  await using connection = await openNats(options);
  // Awaited here, while the connection is open.
  return await checkNats(connection);
}

async function api(options: Options): Promise<Finding[]> {
  if (options.server === undefined) {
    return [ok("api", "not looked at: name it by --server")];
  }
  return checkApi(await call(apiOf(options), getStatus));
}

async function doctor(options: Options): Promise<void> {
  const out = outputOf(options);
  const findings = [
    ...(await findingsOf("cluster", () => cluster(options))),
    ...(await findingsOf("nats", () => nats(options))),
    ...(await findingsOf("api", () => api(options))),
  ];
  out.result(findings, () => {
    const rows = findings.map((finding) => [
      finding.ok ? { text: "ok", style: "good" as const } : { text: "do", style: "bad" as const },
      finding.about,
      finding.todo === "" ? finding.what : `${finding.what}: ${finding.todo}`,
    ]);
    out.table(["", "ABOUT", "FOUND"], rows);
  });
  if (findings.some((finding) => !finding.ok)) process.exitCode = EXIT.findings;
}

export function addDoctor(program: Command): void {
  const command = program
    .command("doctor")
    .description("look at cluster, NATS and restarter: each line is ok or says what to do")
    .action(doctor);
  withNats(withApi(command));
}
