import { Option } from "commander";
import type { Command } from "commander";
import { z } from "zod";
import { KubeError, connectKube } from "@rollcast/kube/client";
import type { KubeClient } from "@rollcast/kube/client";
import { ConfigError } from "@rollcast/shared/errors";
import { createLogger } from "@rollcast/runtime/logger";
import { EXIT, CliError } from "../cli-error.ts";
import { ReloaderDeployment, isReloader } from "../reloader/reloader-deployment.ts";

export type KubeOptions = { readonly kubeconfig?: string; readonly context?: string };

export function withKube(command: Command): Command {
  return command
    .addOption(new Option("--kubeconfig <file>", "else KUBECONFIG or ~/.kube/config"))
    .addOption(new Option("--context <name>", "a context of it; else the current one"));
}

/** The API server that the options name. */
export async function openKube({ kubeconfig, context }: KubeOptions): Promise<KubeClient> {
  const logger = createLogger("rollcast", "silent");
  try {
    return await connectKube({
      logger,
      kubeconfig,
      context,
    });
  } catch (err) {
    if (!(err instanceof ConfigError)) throw err;
    throw new CliError(EXIT.usage, err.message, "check --kubeconfig and --context", { cause: err });
  }
}

/** Turns an error of the cluster into a {@link CliError}. */
export function toKubeCliError(err: unknown): unknown {
  if (!(err instanceof KubeError)) return err;
  if (err.status === 401 || err.status === 403) {
    const hint = "use a kubeconfig that may do this";
    return new CliError(EXIT.unreachable, `the cluster refuses: ${err.message}`, hint);
  }
  const hint = "check --kubeconfig and --context";
  return new CliError(EXIT.unreachable, `the cluster cannot be asked: ${err.message}`, hint);
}

const Deployments = z.object({
  items: z.array(z.unknown()),
  metadata: z.object({ continue: z.string().optional() }).optional(),
});

/** Lists the Deployments that run Reloader, in one namespace or in all. */
export async function findReloaders(
  kube: KubeClient,
  namespace?: string,
): Promise<ReloaderDeployment[]> {
  const where = namespace === undefined ? "" : `/namespaces/${encodeURIComponent(namespace)}`;
  const reloaders: ReloaderDeployment[] = [];
  let next: string | undefined;
  do {
    const answer = await kube.request<unknown>({
      method: "GET",
      path: `/apis/apps/v1${where}/deployments`,
      query: { limit: "250", ...(next === undefined ? {} : { continue: next }) },
    });
    const page = Deployments.parse(answer);
    for (const item of page.items) {
      const parsed = ReloaderDeployment.safeParse(item);
      if (parsed.success && isReloader(parsed.data)) reloaders.push(parsed.data);
    }
    next = page.metadata?.continue === "" ? undefined : page.metadata?.continue;
  } while (next !== undefined);
  return reloaders;
}
