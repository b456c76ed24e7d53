import { readFileSync } from "node:fs";
import process from "node:process";
import { Option } from "commander";
import type { Command } from "commander";
import { fileFault } from "@rollcast/runtime/files/file-fault";
import type { ApiAccess } from "./clients/api-client.ts";
import { EXIT, CliError } from "./cli-error.ts";
import { withCluster } from "./clients/find-api.ts";
import { createOutput } from "./output/output.ts";
import type { Format, Output } from "./output/output.ts";

/** The options of every command that calls an API. */
export type ApiOptions = {
  readonly server?: string;
  readonly tokenFile?: string;
  /** Read from the cluster. */
  readonly token?: string;
};
export type OutputOptions = { readonly output: Format };

/** Adds `-o`. */
export function withOutput(command: Command): Command {
  return command.addOption(
    new Option("-o, --output <format>", "how to write it")
      .choices(["table", "json", "yaml"])
      .default("table"),
  );
}

/** Variables of the environment that say where an API is, and which file holds its token. */
export type ApiVariables = { readonly server: string; readonly tokenFile: string };

const RESTARTER: ApiVariables = { server: "ROLLCAST_SERVER", tokenFile: "ROLLCAST_TOKEN_FILE" };
/** The notifier's token may differ. */
export const NOTIFIER: ApiVariables = {
  server: "ROLLCAST_NOTIFIER_SERVER",
  tokenFile: "ROLLCAST_NOTIFIER_TOKEN_FILE",
};

/** Adds the options that say where the API is; the restarter's by default. */
export function withApi(command: Command, variables: ApiVariables = RESTARTER): Command {
  return withCluster(withOutput(command))
    .addOption(
      new Option("--server <url>", "where the API is; else it is found through the kubeconfig").env(
        variables.server,
      ),
    )
    .addOption(
      new Option("--token-file <file>", "its token; else the variable ROLLCAST_TOKEN").env(
        variables.tokenFile,
      ),
    );
}

/** The file with the token: the one for this API, else the one for both. */
function tokenFileOf({ tokenFile }: ApiOptions): string | undefined {
  return tokenFile ?? process.env.ROLLCAST_TOKEN_FILE;
}

/** Whether the token is given by option or environment. */
export function knowsToken(options: ApiOptions): boolean {
  return tokenFileOf(options) !== undefined || (process.env.ROLLCAST_TOKEN ?? "") !== "";
}

function tokenOf(options: ApiOptions): string {
  const { token: discovered } = options;
  const tokenFile = tokenFileOf(options);
  if (tokenFile === undefined) {
    const { ROLLCAST_TOKEN: token } = process.env;
    if (token !== undefined && token !== "") return token.trim();
    if (discovered !== undefined) return discovered;
    const hint = "give it by --token-file, ROLLCAST_TOKEN_FILE or ROLLCAST_TOKEN";
    throw new CliError(EXIT.usage, "the token of the API is missing", hint);
  }
  try {
    return readFileSync(tokenFile, "utf8").trim();
  } catch (err) {
    const hint = "check --token-file or ROLLCAST_TOKEN_FILE";
    const fault = `${tokenFile} cannot be read: ${fileFault(err, tokenFile)}`;
    throw new CliError(EXIT.usage, fault, hint, { cause: err });
  }
}

/** The API that the options name. Throws {@link CliError} if they name none. */
export function apiOf(options: ApiOptions): ApiAccess {
  const { server } = options;
  if (server === undefined || server === "") {
    const hint = "name it by --server or ROLLCAST_SERVER";
    throw new CliError(EXIT.usage, "where is the API?", hint);
  }
  if (!/^https?:\/\/[^\s/]+/.test(server)) {
    const hint = "write it like http://127.0.0.1:8081";
    throw new CliError(EXIT.usage, "--server is no URL", hint);
  }
  return { server, token: tokenOf(options) };
}

export function outputOf({ output }: OutputOptions): Output {
  return createOutput(output);
}
