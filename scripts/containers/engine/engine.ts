// A Docker engine of our own: its socket, data and containers are in one folder, and it ends with
// the process that started it.
import { mkdir, open, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { waitFor } from "@rollcast/testkit/wait";
import { engineHost } from "../../bootstrap/cache.mjs";
import { withSbin } from "../../bootstrap/engine-facts.mjs";
import { runLogged } from "../../bootstrap/run-command.mjs";
import { docker, removeLeftOvers } from "./docker.ts";
import type { Docker } from "./docker.ts";

const START_MS = 120_000;
const END_MS = 60_000;
const LOG_CHARACTERS = 4_000;
/** A socket's path may have at most 107 bytes; containerd's is the longest here. */
const MAX_DIR = 107 - "/exec/containerd/containerd-debug.sock".length;
const PLUGINS = ["docker-compose", "docker-buildx"];

export type Engine = AsyncDisposable &
  Docker & {
    /** Resolves when the engine has ended, by itself or on demand. */
    readonly ended: Promise<unknown>;
  };

export type EngineOptions = {
  /**
   * The engine's folder; it is kept when the engine ends, except for containers, networks and
   * volumes.
   */
  dir: string;
  /** Where docker-compose and docker-buildx are. */
  servers: string;
  env: Readonly<Record<string, string | undefined>>;
  signal: AbortSignal;
};

/**
 * Starts an engine and removes what a killed run left behind. If it does not answer, throws with
 * the end of its log.
 */
export async function startEngine({ dir, servers, env, signal }: EngineOptions): Promise<Engine> {
  if (Buffer.byteLength(dir) > MAX_DIR) {
    throw new Error(`${dir} is too long for sockets: a shorter ROLLCAST_CACHE_DIR is needed`);
  }
  await mkdir(dir, { recursive: true, mode: 0o700 });
  await endLeftOver(dir);
  const own = { env: await engineEnv(dir, servers, env), signal };
  const stop = new AbortController();
  const logFile = join(dir, "dockerd.log");
  const log = await open(logFile, "w");
  const supervisor = join(import.meta.dirname, "engine-supervisor.ts");
  let isOver = false;
  const exited = runLogged(process.execPath, [supervisor, dir], {
    env: own.env,
    log: log.fd,
    signal: stop.signal,
  }).finally(() => {
    isOver = true;
  });
  const end = async () => {
    stop.abort();
    await exited;
    await log.close();
  };
  try {
    await waitFor(
      async () => {
        signal.throwIfAborted();
        return isOver || docker(own, ["info"]);
      },
      { timeout: START_MS, every: 200, message: "the engine to answer" },
    );
    if (isOver) throw new Error("it ended at once");
    await removeLeftOvers(own);
  } catch (err) {
    await end();
    const text = await readFile(logFile, "utf8");
    throw new Error(`no container engine:\n${text.slice(-LOG_CHARACTERS)}`, { cause: err });
  }
  return { ...own, ended: exited, [Symbol.asyncDispose]: end };
}

/** The environment that points `docker` to this engine and its plugins, and to no other. */
async function engineEnv(
  dir: string,
  servers: string,
  env: EngineOptions["env"],
): Promise<Record<string, string | undefined>> {
  const config = join(dir, "config");
  const plugins = join(config, "cli-plugins");
  await rm(config, { recursive: true, force: true });
  await mkdir(plugins, { recursive: true });
  await writeFile(join(config, "config.json"), "{}\n");
  for (const name of PLUGINS) await symlink(join(servers, name), join(plugins, name));
  const foreign = /^(DOCKER|COMPOSE|BUILDX|BUILDKIT)_/;
  const rest = Object.entries(withSbin(env)).filter(([name]) => !foreign.test(name));
  return { ...Object.fromEntries(rest), DOCKER_HOST: engineHost(env), DOCKER_CONFIG: config };
}

/** Ends an engine whose supervisor was killed: it would still use the folder. */
async function endLeftOver(dir: string): Promise<void> {
  const file = join(dir, "pid");
  const pid = Number(await readFile(file, "utf8").catch(() => ""));
  if (pid > 0 && (await isEngine(pid, dir))) {
    process.kill(pid, "SIGTERM");
    const gone = async () => !(await isEngine(pid, dir));
    await waitFor(gone, { timeout: END_MS, message: `the engine ${pid} in ${dir} to end` });
  }
  await rm(file, { force: true });
}

async function isEngine(pid: number, dir: string): Promise<boolean> {
  const command = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
  return command.includes(`--pidfile=${join(dir, "pid")}`);
}
