import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { serverBinary } from "./binaries.ts";
import { freePort } from "./net.ts";
import { startServer } from "./process.ts";
import type { Running } from "./process.ts";

export type NatsServer = AsyncDisposable & {
  readonly url: string;
  readonly port: number;
  /** kill -9. */
  kill(): Promise<void>;
  /** Stops it where it is, its connections open, until {@link thaw}: as a server that hangs. */
  freeze(): void;
  thaw(): void;
  /** Starts again on the same port and store; with `empty`, the store is lost first. */
  restart(options?: { empty?: boolean }): Promise<void>;
};

export type NatsServerOptions = {
  /** Kept after disposal; by default a temporary folder. */
  storeDir?: string;
  port?: number;
  /** More lines for the server's configuration file, e.g. `authorization { ... }`. */
  config?: string;
  /** Its whole configuration file instead, which must listen on `port`. */
  whole?: string;
};

/** A real nats-server with JetStream on its own port. */
export async function startNats(options: NatsServerOptions = {}): Promise<NatsServer> {
  const dir = options.storeDir ?? (await mkdtemp(join(tmpdir(), "rollcast-nats-")));
  const port = options.port ?? (await freePort());
  const file = join(dir, "nats.conf");
  const store = join(dir, "jetstream");
  const start = async (): Promise<Running> => {
    const usual = `listen: 127.0.0.1:${port}\njetstream { store_dir: ${JSON.stringify(store)} }\n`;
    await writeFile(file, options.whole ?? `${usual}${options.config ?? ""}\n`);
    return startServer(serverBinary("nats-server"), ["-c", file], "Server is ready");
  };
  let running = await start();
  return {
    url: `nats://127.0.0.1:${port}`,
    port,
    async kill() {
      await running.kill("SIGKILL");
    },
    freeze: () => void process.kill(running.pid, "SIGSTOP"),
    thaw: () => void process.kill(running.pid, "SIGCONT"),
    async restart({ empty = false } = {}) {
      await running.kill("SIGKILL");
      if (empty) await rm(store, { recursive: true, force: true });
      running = await start();
    },
    async [Symbol.asyncDispose]() {
      await running.kill();
      if (options.storeDir === undefined) await rm(dir, { recursive: true, force: true });
    },
  };
}
