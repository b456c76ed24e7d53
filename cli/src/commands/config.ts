import { readFileSync } from "node:fs";
import process from "node:process";
import type { Command } from "commander";
import { parseConfig } from "@rollcast/runtime/config/load";
import { ConfigError } from "@rollcast/shared/errors";
import { fileFault } from "@rollcast/runtime/files/file-fault";
import { EXIT, CliError } from "../cli-error.ts";
import { findReloaders, toKubeCliError, openKube, withKube } from "../clients/kube.ts";
import type { KubeOptions } from "../clients/kube.ts";
import { outputOf, withOutput } from "../options.ts";
import type { OutputOptions } from "../options.ts";
import { findInManifest, reloaderOptions } from "../reloader/reloader-deployment.ts";
import type { ReloaderDeployment } from "../reloader/reloader-deployment.ts";
import { renderConfig, translate } from "../reloader/translate.ts";

function read(file: string): string {
  try {
    return readFileSync(file === "-" ? 0 : file, "utf8");
  } catch (err) {
    const fault = `${file} cannot be read: ${fileFault(err, file)}`;
    throw new CliError(EXIT.usage, fault, "check its path", { cause: err });
  }
}

function check(file: string, options: OutputOptions): void {
  const out = outputOf(options);
  const text = read(file);
  try {
    const { cluster, mode, queues } = parseConfig(text, file === "-" ? "stdin" : file);
    const summary = { ok: true, cluster, mode, queues: queues.length, faults: [] };
    out.result(summary, () =>
      out.line(`${file} is right: cluster ${cluster}, mode ${mode}`, "good"),
    );
  } catch (err) {
    if (!(err instanceof ConfigError)) throw err;
    const [head = "", ...faults] = err.message.split("\n").map((line) => line.trim());
    out.result({ ok: false, faults: faults.length === 0 ? [head] : faults }, () => {
      out.line(head, "bad");
      for (const fault of faults) out.line(`  ${fault}`);
    });
    process.exitCode = EXIT.findings;
  }
}

type FromOptions = OutputOptions &
  KubeOptions & {
    readonly file?: string;
    readonly namespace?: string;
    readonly deployment?: string;
    readonly clusterName: string;
  };

async function installed(options: FromOptions): Promise<ReloaderDeployment[]> {
  if (options.file !== undefined) return findInManifest(read(options.file));
  await using kube = await openKube(options);
  // Awaited here, while the connections are open.
  return await findReloaders(kube, options.namespace).catch((err: unknown) => {
    throw toKubeCliError(err);
  });
}

async function fromReloader(options: FromOptions): Promise<void> {
  const out = outputOf(options);
  const { deployment: wanted } = options;
  const all = await installed(options);
  const matching = all.filter(({ metadata }) => wanted === undefined || metadata.name === wanted);
  const [deployment, ...more] = matching;
  if (deployment === undefined) {
    const hint = "give its manifest by --file, or its namespace by -n";
    throw new CliError(EXIT.refused, "no Deployment that runs Reloader was found", hint);
  }
  if (more.length > 0) {
    const names = matching.map(({ metadata }) => `${metadata.namespace ?? ""}/${metadata.name}`);
    const hint = `choose one by -n and --deployment: ${names.join(", ")}`;
    throw new CliError(EXIT.refused, `${matching.length} Deployments run Reloader`, hint);
  }
  const translation = translate(reloaderOptions(deployment), options.clusterName);
  const text = renderConfig(translation);
  out.result(translation, () => process.stdout.write(text));
}

export function addConfig(program: Command): void {
  const config = program.command("config").description("check a rollcast.yaml, or make one");
  withOutput(
    config
      .command("check <file>")
      .description("name every fault of a rollcast.yaml (- reads stdin)")
      .action(check),
  );
  const from = config
    .command("from-reloader")
    .description("the rollcast.yaml that is equivalent to an installed Reloader")
    .option("--file <manifest>", "its Deployment in a file (- reads stdin); else the cluster's")
    .option("-n, --namespace <name>", "where it is installed; default: all namespaces")
    .option("--deployment <name>", "which, where there are several")
    .option("--cluster-name <name>", "name of the cluster in the configuration", "my-cluster")
    .action(fromReloader);
  withKube(withOutput(from));
}
