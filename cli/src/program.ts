import { Command } from "commander";
import { addConfig } from "./commands/config.ts";
import { addDeadLetters } from "./commands/dead-letters.ts";
import { addDoctor } from "./commands/doctor.ts";
import { addEvents } from "./commands/events.ts";
import { addExplain } from "./commands/explain.ts";
import { addFreeze } from "./commands/freeze.ts";
import { addQueues } from "./commands/queues.ts";
import { addRequests } from "./commands/requests.ts";
import { addStatus } from "./commands/status.ts";
import { findApi } from "./clients/find-api.ts";
import type { InstallationOptions } from "./clients/find-api.ts";
import { knowsToken } from "./options.ts";
import type { ApiOptions } from "./options.ts";

/**
 * Finds the API through the kubeconfig for a command without `--server`. `doctor` checks only what
 * it is given.
 */
async function findServer(command: Command, opened: AsyncDisposableStack): Promise<void> {
  const asks = command.options.some(({ long }) => long === "--server");
  const options = command.opts<InstallationOptions & ApiOptions>();
  if (!asks || command.name() === "doctor" || (options.server ?? "") !== "") return;
  const service = command.parent?.name() === "dead-letters" ? "notifier" : "restarter";
  const api = opened.use(await findApi(options, service, knowsToken(options)));
  command.setOptionValue("server", api.server);
  if (api.token !== undefined) command.setOptionValue("token", api.token);
}

/**
 * Creates the program with every command. Errors are thrown, not printed; nothing exits. Whatever a
 * command opens is pushed on `opened`.
 */
export function createProgram(opened: AsyncDisposableStack): Command {
  const program = new Command("rollcast")
    .description("See and control how Rollcast rolls workloads")
    .exitOverride()
    .configureOutput({ outputError: () => undefined })
    .configureHelp({ helpWidth: 80 })
    .hook("preAction", (_, command) => findServer(command, opened));
  const adders = [
    addStatus,
    addExplain,
    addRequests,
    addQueues,
    addFreeze,
    addDeadLetters,
    addEvents,
    addConfig,
    addDoctor,
  ];
  for (const add of adders) add(program);
  return program;
}
