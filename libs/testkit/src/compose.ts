import { execFile } from "node:child_process";
import process from "node:process";
import { promisify } from "node:util";
import { serverBinary } from "./binaries.ts";

const run = promisify(execFile);

export type Mount = {
  readonly type: string;
  readonly source: string;
  readonly target: string;
  readonly read_only?: boolean;
  readonly bind?: { readonly create_host_path?: boolean };
};

/** A service as compose sees it: interpolated, in its long form, with absolute paths. */
export type ComposeService = {
  readonly image: string;
  readonly build?: { readonly args?: Readonly<Record<string, string | null>> };
  readonly entrypoint?: readonly string[] | null;
  readonly command?: readonly string[] | null;
  readonly environment?: Readonly<Record<string, string | null>>;
  readonly volumes?: readonly Mount[];
  readonly depends_on?: Readonly<Record<string, { condition: string; required: boolean }>>;
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly [key: string]: unknown;
};

export type Composed = {
  readonly services: Readonly<Record<string, ComposeService>>;
  readonly volumes: Readonly<Record<string, object>>;
};

export type ComposeOptions = {
  profiles?: readonly string[];
  env?: Readonly<Record<string, string>>;
};

/**
 * What `docker compose config` makes of files, by the same loader. Throws what it says where they
 * are refused.
 */
export async function composed(
  files: readonly string[],
  options: ComposeOptions = {},
): Promise<Composed> {
  const { PATH } = process.env;
  const env = { PATH, COMPOSE_PROFILES: options.profiles?.join(",") ?? "", ...options.env };
  const { stdout } = await run(serverBinary("compose"), files, { env });
  return JSON.parse(stdout) as Composed;
}
