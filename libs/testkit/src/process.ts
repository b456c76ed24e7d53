import { spawn } from "node:child_process";
import { once } from "node:events";
import { basename } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import type { ChildProcess } from "node:child_process";
import { waitFor } from "./wait.ts";

export type RunOptions = {
  env?: Readonly<Record<string, string>>;
  cwd?: string;
  /** Called with each line of output. */
  onLine?: (line: string) => void;
};

/** A child process whose output is kept (the last lines), and which does not outlive this one. */
export type Running = AsyncDisposable & {
  readonly pid: number;
  /** The last lines of its output, each cut to a readable length. */
  output(): string;
  /** Resolves with the exit code, or the signal's name. */
  readonly exited: Promise<number | string>;
  hasExited(): boolean;
  /** Sends a signal and waits for the end. */
  kill(signal?: NodeJS.Signals): Promise<number | string>;
};

const KEPT_LINES = 20;
const KEPT_LENGTH = 400;
const TERM_MS = 28_000;
const children = new Set<ChildProcess>();

function killAll(): void {
  for (const child of children) child.kill("SIGKILL");
}
process.once("exit", killAll);

/** Starts `command`. Throws where it cannot be started. */
export async function startProcess(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Running> {
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  await once(child, "spawn");
  children.add(child);
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on("line", (line) => {
      lines.push(line.slice(0, KEPT_LENGTH));
      if (lines.length > KEPT_LINES) lines.shift();
      options.onLine?.(line);
    });
  }
  const exited = new Promise<number | string>((resolve) => {
    child.once("exit", (code, signal) => {
      children.delete(child);
      resolve(code ?? signal ?? "unknown");
    });
  });
  const hasExited = () => child.exitCode !== null || child.signalCode !== null;
  const kill = async (signal: NodeJS.Signals = "SIGTERM") => {
    if (!hasExited()) child.kill(signal);
    const timer = setTimeout(() => child.kill("SIGKILL"), TERM_MS);
    const ended = await exited;
    clearTimeout(timer);
    return ended;
  };
  return {
    pid: child.pid ?? 0,
    output: () => lines.join("\n"),
    exited,
    hasExited,
    kill,
    async [Symbol.asyncDispose]() {
      await kill();
    },
  };
}

/** Waits for a server that was started; throws after 30 s, with its output where it has ended. */
export async function untilReady(
  name: string,
  running: Running,
  isReady: () => boolean,
): Promise<void> {
  await waitFor(
    () => {
      if (running.hasExited()) throw new Error(`${name} ended: ${running.output()}`);
      return isReady();
    },
    { message: `${name} to be ready`, every: 20 },
  );
}

/**
 * Starts a server and waits until it says `ready` in a line. Its own word: whoever accepts
 * connections on its port may have taken that before the server could. Throws like
 * {@link startProcess} and {@link untilReady}.
 */
export async function startServer(
  command: string,
  args: readonly string[],
  ready: string,
): Promise<Running> {
  let isReady = false;
  const onLine = (line: string) => void (isReady ||= line.includes(ready));
  const running = await startProcess(command, args, { onLine });
  await untilReady(basename(command), running, () => isReady);
  return running;
}
