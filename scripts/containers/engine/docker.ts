import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";

const execute = promisify(execFile);
const MAX_OUTPUT = 64 * 1024 * 1024;

/** The command `docker`, for one engine. */
export type Docker = {
  /** The environment that points it to the engine. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal?: AbortSignal;
};

/** Returns the output of `docker ARGS`. If it fails, throws with its error output. */
export async function docker({ env, signal }: Docker, args: readonly string[]): Promise<string> {
  const { stdout } = await execute("docker", args, { env, signal, maxBuffer: MAX_OUTPUT });
  return stdout.trim();
}

/** The same output as lines. */
export async function dockerLines(engine: Docker, args: readonly string[]): Promise<string[]> {
  return (await docker(engine, args)).split("\n").filter((line) => line !== "");
}

/** Creates an image from the folder `root`; `changes` are lines of a Dockerfile. */
export async function importImage(
  { env, signal }: Docker,
  image: { name: string; root: string; changes: readonly string[] },
): Promise<void> {
  const flags = image.changes.flatMap((change) => ["--change", change]);
  const options = { env, signal };
  const tar = spawn("tar", ["--numeric-owner", "-C", image.root, "-c", "."], {
    ...options,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const load = spawn("docker", ["import", ...flags, "-", image.name], {
    ...options,
    stdio: ["pipe", "ignore", "inherit"],
  });
  await Promise.all([
    pipeline(tar.stdout, load.stdin),
    ...[tar, load].map(async (child) => {
      const [code] = (await once(child, "close")) as [number | null];
      if (code !== 0) throw new Error(`${image.name} cannot be imported: exit code ${code}`);
    }),
  ]);
}

/** Removes every container, network and volume; images and the build cache stay. */
export async function removeLeftOvers(engine: Docker): Promise<void> {
  const containers = await dockerLines(engine, ["ps", "--all", "--quiet"]);
  if (containers.length > 0) await docker(engine, ["rm", "--force", "--volumes", ...containers]);
  await docker(engine, ["network", "prune", "--force"]);
  const volumes = await dockerLines(engine, ["volume", "ls", "--quiet"]);
  if (volumes.length > 0) await docker(engine, ["volume", "rm", "--force", ...volumes]);
  await docker(engine, ["image", "prune", "--force"]);
}
