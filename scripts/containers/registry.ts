import { execFile } from "node:child_process";
import { promisify } from "node:util";

const DEFAULT = "https://registry.npmjs.org/";

/** Points builds to the npm registry of the user's configuration, if it is not the default one. */
export async function registryEnv(
  env: Readonly<Record<string, string | undefined>>,
): Promise<{ NPM_CONFIG_REGISTRY?: string }> {
  const run = promisify(execFile);
  const { stdout } = await run("npm", ["config", "get", "registry"], { env });
  const registry = stdout.trim();
  return registry === DEFAULT ? {} : { NPM_CONFIG_REGISTRY: registry };
}
