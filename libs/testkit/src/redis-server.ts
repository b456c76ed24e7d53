import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { freePort } from "./net.ts";
import { startServer } from "./process.ts";
import type { Running } from "./process.ts";

export type RedisServer = AsyncDisposable & {
  readonly url: string;
  readonly port: number;
  /** Where its append-only file is: every write it ever took. */
  readonly dir: string;
  /** kill -9. */
  kill(): Promise<void>;
  /** Stops it where it is, its connections open, until {@link thaw}: as a server that hangs. */
  freeze(): void;
  thaw(): void;
  /** Starts again on the same port and data; with `empty`, the data is lost first. */
  restart(options?: { empty?: boolean }): Promise<void>;
};

export type RedisServerOptions = {
  /** Kept after disposal; by default a temporary folder. */
  dataDir?: string;
  port?: number;
  /** Listens with TLS only; `args` say with which files. */
  tls?: boolean;
  /** More arguments of redis-server, e.g. `--user`. */
  args?: readonly string[];
};

/**
 * A real redis-server on its own port, set up as Rollcast asks for: `noeviction`, append-only file.
 */
export async function startRedis(options: RedisServerOptions = {}): Promise<RedisServer> {
  const dir = options.dataDir ?? (await mkdtemp(join(tmpdir(), "rollcast-redis-")));
  const port = options.port ?? (await freePort());
  const args = [
    ["--bind", "127.0.0.1", "--dir", dir],
    options.tls === true ? ["--port", "0", "--tls-port", String(port)] : ["--port", String(port)],
    ["--appendonly", "yes", "--appendfsync", "everysec", "--save", ""],
    ["--maxmemory-policy", "noeviction"],
    options.args ?? [],
  ].flat();
  const start = async (): Promise<Running> => {
    await mkdir(dir, { recursive: true });
    return startServer("redis-server", args, "Ready to accept connections");
  };
  let running = await start();
  return {
    url: `${options.tls === true ? "rediss" : "redis"}://127.0.0.1:${port}`,
    port,
    dir,
    async kill() {
      await running.kill("SIGKILL");
    },
    freeze: () => void process.kill(running.pid, "SIGSTOP"),
    thaw: () => void process.kill(running.pid, "SIGCONT"),
    async restart({ empty = false } = {}) {
      await running.kill("SIGKILL");
      if (empty) await rm(dir, { recursive: true, force: true });
      running = await start();
    },
    async [Symbol.asyncDispose]() {
      await running.kill();
      if (options.dataDir === undefined) await rm(dir, { recursive: true, force: true });
    },
  };
}
