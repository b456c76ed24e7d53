import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { stringify } from "yaml";
import { packageDir, repositoryRoot } from "./binaries.ts";
import { startProcess } from "./process.ts";
import type { Running } from "./process.ts";
import { waitFor } from "./wait.ts";

export type ServiceName = "watcher" | "restarter" | "notifier" | "all-in-one" | "provision";

export type ServiceLogLine = {
  readonly level: string;
  readonly msg: string;
  readonly [key: string]: unknown;
};

/** A service of Rollcast as its users run it: a process of its own. */
export type Service = AsyncDisposable & {
  readonly name: ServiceName;
  readonly pid: number;
  /** Its rollcast.yaml. */
  readonly configFile: string;
  /** Every line it logged, parsed; lines that are no JSON (a crash of Node) have level `raw`. */
  readonly logs: readonly ServiceLogLine[];
  /** Base URL of `/livez`, `/readyz` and `/metrics`. */
  http(): string;
  readonly exited: Promise<number | string>;
  hasExited(): boolean;
  kill(signal?: NodeJS.Signals): Promise<number | string>;
  waitReady(timeout?: number): Promise<void>;
  waitLog(predicate: (line: ServiceLogLine) => boolean, timeout?: number): Promise<ServiceLogLine>;
};

export type ServiceOptions = {
  /** Written as its rollcast.yaml. */
  config: object;
  kubeconfig?: string;
  natsUrl: string;
  redisUrl?: string;
  env?: Readonly<Record<string, string>>;
  onLog?: (line: ServiceLogLine) => void;
  /** A folder that holds the service as an image does; else this repository. */
  root?: string;
  /** What goes before the command, e.g. `nice`. */
  through?: readonly string[];
  /** Options of Node. */
  nodeOptions?: readonly string[];
};

/** Of a start and of a line: a machine with twenty times the work that it can do needs so long. */
const DEADLINE_MS = 60_000;

function parseLine(line: string): ServiceLogLine {
  try {
    const parsed: unknown = JSON.parse(line);
    if (typeof parsed === "object" && parsed !== null) return parsed as ServiceLogLine;
  } catch {
    // Node's own words, e.g. of a crash.
  }
  return { level: "raw", msg: line };
}

/** Starts a service; it is not ready yet. */
export async function startService(name: ServiceName, options: ServiceOptions): Promise<Service> {
  const dir = await mkdtemp(join(tmpdir(), `rollcast-${name}-`));
  const file = join(dir, "rollcast.yaml");
  await writeFile(file, stringify(options.config));
  const logs: ServiceLogLine[] = [];
  const main =
    options.root === undefined
      ? join(repositoryRoot(), packageDir(name), "src", "main.ts")
      : join(options.root, "main.mjs");
  const { through = [], nodeOptions = [] } = options;
  const [program, ...args] = [...through, process.execPath, ...nodeOptions, main];
  const running: Running = await startProcess(program ?? process.execPath, args, {
    env: {
      ROLLCAST_CONFIG: file,
      ROLLCAST_NATS_URL: options.natsUrl,
      ROLLCAST_HTTP_PORT: "0",
      ...(options.redisUrl === undefined ? {} : { ROLLCAST_REDIS_URL: options.redisUrl }),
      ...(options.kubeconfig === undefined ? {} : { KUBECONFIG: options.kubeconfig }),
      ...options.env,
    },
    onLine(line) {
      const parsed = parseLine(line);
      logs.push(parsed);
      options.onLog?.(parsed);
    },
  });
  const http = () => {
    const line = logs.find((entry) => entry.msg === "http server listening");
    if (line === undefined) throw new Error(`${name} does not listen: ${running.output()}`);
    return `http://127.0.0.1:${String(line.port)}`;
  };
  const gone = () => {
    if (running.hasExited()) throw new Error(`${name} ended: ${running.output()}`);
  };
  return {
    name,
    pid: running.pid,
    configFile: file,
    logs,
    http,
    exited: running.exited,
    hasExited: running.hasExited,
    kill: running.kill,
    async waitReady(timeout = DEADLINE_MS) {
      await waitFor(
        async () => {
          if (running.hasExited()) return true;
          return (await fetch(`${http()}/readyz`)).status === 200;
        },
        { timeout, message: `${name} to be ready` },
      ).catch((err: unknown) => {
        throw new Error(`${name} is not ready: ${running.output()}`, { cause: err });
      });
      gone();
    },
    waitLog: (predicate, timeout = DEADLINE_MS) =>
      waitFor(() => logs.find(predicate), { timeout, message: `a log line of ${name}` }),
    async [Symbol.asyncDispose]() {
      await running[Symbol.asyncDispose]();
      await rm(dir, { recursive: true, force: true });
    },
  };
}
