// The tests of containers: on an engine of our own with stand-ins for the images of registries, or
// on the host's engine with the real images. Run by scripts/bootstrap/main.mjs containers.
//
//     node scripts/containers/main.ts own|host [--keep] [ARGS OF VITEST...]
import { once } from "node:events";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { checkoutImages } from "@rollcast/testkit/base-images";
import { repositoryRoot } from "@rollcast/testkit/binaries";
import { engineDir } from "../bootstrap/cache.mjs";
import { runTests } from "../bootstrap/checks.mjs";
import { withLock } from "../bootstrap/lock.mjs";
import { createProgress } from "../bootstrap/progress.mjs";
import { docker } from "./engine/docker.ts";
import type { Docker } from "./engine/docker.ts";
import { startEngine } from "./engine/engine.ts";
import { buildStandIns } from "./stand-ins/build.ts";

// Regardless of root's umask: other users read the files in images.
process.umask(0o022);
const [kind = "", ...args] = process.argv.slice(2);
const keep = args.includes("--keep");
const vitestArgs = args.filter((arg) => arg !== "--keep");
const { env } = process;
const progress = createProgress(process.stdout);
const stop = new AbortController();
const { signal } = stop;
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, () => stop.abort());

/** The registry that npm uses when nothing is configured. */
const NPM_REGISTRY = "https://registry.npmjs.org/";

/** What the engine and the tests need from the shell's environment. */
const ENGINE_VARIABLES = ["DOCKER_HOST", "DOCKER_CONFIG", "ROLLCAST_SERVERS_DIR"];

async function onOwnEngine(): Promise<number> {
  const dir = engineDir(env);
  const servers = env.ROLLCAST_SERVERS_DIR ?? "";
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const onWait = () => progress.say("  .. waiting for another run that uses the same engine");
  const work = async () => {
    const since = Date.now();
    await using engine = await startEngine({ dir, servers, env, signal });
    progress.done("a container engine of our own", since);
    await buildStandIns(await checkoutImages(), { engine, dir, servers, signal, progress });
    // Awaited, so that the engine ends after its use.
    return await useEngine(engine, { ROLLCAST_STAND_INS: "1" }, engine.ended);
  };
  return withLock(join(dir, "lock"), work, { onWait, signal });
}

async function onHostEngine(): Promise<number> {
  const engine = { env, signal };
  for (const image of await checkoutImages()) {
    const there = await docker(engine, ["image", "inspect", image]).then(
      () => true,
      () => false,
    );
    const pull = () => docker(engine, ["pull", "--quiet", image]);
    if (!there) await progress.live(`fetching ${image}`, pull());
  }
  return useEngine(engine, {});
}

/** Runs the tests, or keeps the engine running for tests that are started by hand. */
async function useEngine(
  engine: Docker,
  more: Record<string, string>,
  ended?: Promise<unknown>,
): Promise<number> {
  const added = { ...more, ...(await registryEnv(engine.env)) };
  const testEnv: Readonly<Record<string, string | undefined>> = { ...engine.env, ...added };
  if (!keep) {
    return runTests(["containers"], vitestArgs, {
      cwd: repositoryRoot(),
      env: { ...testEnv },
      progress,
      signal,
    });
  }
  for (const name of [...ENGINE_VARIABLES, ...Object.keys(added)]) {
    if (testEnv[name] !== undefined) progress.say(`export ${name}='${testEnv[name]}'`);
  }
  progress.say("Ctrl-C ends the engine");
  const aborted = signal.aborted ? undefined : once(signal, "abort");
  await Promise.race([aborted, ...(ended === undefined ? [] : [ended])]);
  return signal.aborted ? 0 : 1;
}

try {
  process.exitCode = kind === "own" ? await onOwnEngine() : await onHostEngine();
} catch (err) {
  process.stderr.write(`\n${err instanceof Error ? err.message : String(err)}\n`);
  process.exitCode = 1;
}

/** Points builds to the npm registry of the user's configuration, if it is not the default one. */
async function registryEnv(
  env: Readonly<Record<string, string | undefined>>,
): Promise<{ NPM_CONFIG_REGISTRY?: string }> {
  const run = promisify(execFile);
  const { stdout } = await run("npm", ["config", "get", "registry"], { env });
  const registry = stdout.trim();
  return registry === NPM_REGISTRY ? {} : { NPM_CONFIG_REGISTRY: registry };
}
