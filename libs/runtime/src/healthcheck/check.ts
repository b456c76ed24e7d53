import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import process from "node:process";
import { isDeepStrictEqual } from "node:util";
import { connect } from "node:net";
import { readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { fileFault, systemReason } from "../files/file-fault.ts";
import { decideHealth } from "./decide-health.ts";
import type { HealthLimits, Memory } from "./decide-health.ts";

export type CheckOptions = Partial<HealthLimits> & {
  /** Of the service's `/readyz` and `/livez`. */
  readonly port: number;
  /**
   * Milliseconds until an answer must be there; default 6 s, as for the probes of the chart.
   */
  readonly timeoutMs?: number;
  /** The process whose only child is the service; default 1. */
  readonly initPid?: number;
  /**
   * Where a check writes down what the next one needs; in the folder for temporary files unless
   * told.
   */
  readonly memoryFile?: string;
};

type Health = { readonly ready: boolean; readonly text: string };

const TIMEOUT_MS = 6_000;
/** That of the chart's startup probe. */
const START_WITHIN_MS = 120_000;
/** Longer than a service takes at the most, 25 s. */
const GRACE_MS = 30_000;
/** What a container engine keeps of what a check says. */
const MAX_PRINTED = 4_096;

const NO_EFFECT = "a service that is not live will not be ended";

const isOk = (answer: ProbeAnswer) => "status" in answer && answer.status === 200;

/** What a path says, each line behind `prefix`. */
function linesOf(path: string, answer: ProbeAnswer, prefix = ""): string[] {
  if ("fault" in answer) return [`${path} is not reachable: ${answer.fault}`];
  // Whoever looks at it may do so in a terminal.
  const lines = answer.text.replaceAll(/[^\P{Cc}\n]/gu, " ").split("\n");
  return lines.filter((line) => line !== "").map((line) => `${prefix}${line}`);
}

function bounded(lines: readonly string[]): string {
  const text = `${lines.join("\n")}\n`;
  const bytes = Buffer.from(text);
  if (bytes.length <= MAX_PRINTED) return text;
  const cut = bytes.subarray(0, MAX_PRINTED - 4).toString("utf8");
  // A letter that was cut in two.
  return `${cut.replace(/\uFFFD$/, "")}...\n`;
}

function send(pid: number, signal: NodeJS.Signals): string | undefined {
  try {
    process.kill(pid, signal);
    return undefined;
  } catch (err) {
    return `process ${pid} cannot be sent ${signal}: ${systemReason(err)}`;
  }
}

/**
 * Ends a service that is not live for too long, so that the engine starts it again; returns what to
 * say of it.
 */
function endIfDue(
  options: CheckOptions & { readonly endAfterMs: number },
  live: boolean,
): string[] {
  const { initPid = 1, startWithinMs = START_WITHIN_MS, graceMs = GRACE_MS, endAfterMs } = options;
  const file = options.memoryFile ?? join(tmpdir(), "rollcast-healthcheck.json");
  const service = findService(initPid);
  if ("fault" in service) return [`${NO_EFFECT}: ${service.fault}`];
  const memory = readMemory(file);
  // A clock of all processes, which nobody sets and which stands still while the machine sleeps.
  const now = Number(process.hrtime.bigint() / 1_000_000n);
  const limits = { endAfterMs, startWithinMs, graceMs };
  const decision = decideHealth({ process: service.id, live, now, memory }, limits);
  const notes = decision.note === undefined ? [] : [decision.note];
  if (!isDeepStrictEqual(decision.memory, memory)) {
    const fault = writeMemory(file, decision.memory);
    // What cannot be written down would be done again and again.
    if (fault !== undefined) return [`${NO_EFFECT}: ${fault}`];
  }
  if (decision.signal === undefined) return notes;
  return [send(service.pid, decision.signal) ?? "", ...notes].filter((line) => line !== "");
}

/**
 * Whether the service on this port is ready, and what it says of it, in at most 4 KiB. With
 * `endAfterMs`, on Linux, it is ended where `/livez` has failed or not answered for so long.
 */
export async function check(options: CheckOptions): Promise<Health> {
  const { port, timeoutMs = TIMEOUT_MS, endAfterMs } = options;
  if (endAfterMs === undefined || process.platform !== "linux") {
    const answer = await ask(port, "/readyz", timeoutMs);
    return { ready: isOk(answer), text: bounded(linesOf("/readyz", answer)) };
  }
  const [ready, live] = await Promise.all([
    ask(port, "/readyz", timeoutMs),
    ask(port, "/livez", timeoutMs),
  ]);
  const ended = endIfDue({ ...options, endAfterMs }, isOk(live));
  const why = isOk(live) ? [] : linesOf("/livez", live, "livez: ");
  return { ready: isOk(ready), text: bounded([...ended, ...why, ...linesOf("/readyz", ready)]) };
}

type ProbeAnswer = { readonly status: number; readonly text: string } | { readonly fault: string };

const MAX_ANSWER = 65_536;

function parse(bytes: Buffer): ProbeAnswer {
  const text = bytes.toString("utf8");
  const [, status] = /^HTTP\/1\.[01] (\d{3})/.exec(text) ?? [];
  const end = text.indexOf("\r\n\r\n");
  if (status === undefined || end < 0) return { fault: "no answer of HTTP" };
  return { status: Number(status), text: text.slice(end + 4) };
}

/**
 * GETs a path of this machine. By hand over a socket: a check starts a process every few seconds,
 * and the HTTP modules of Node would double what that costs. HTTP/1.0 has the server end the
 * connection, and a body without chunks.
 */
export function ask(port: number, path: string, timeoutMs: number): Promise<ProbeAnswer> {
  const { promise, resolve } = Promise.withResolvers<ProbeAnswer>();
  const chunks: Buffer[] = [];
  let length = 0;
  const socket = connect({ port, host: "127.0.0.1" });
  const end = (answer: ProbeAnswer) => {
    clearTimeout(timer);
    socket.destroy();
    resolve(answer);
  };
  const timer = setTimeout(() => {
    end({ fault: `no answer within ${timeoutMs / 1_000} s` });
  }, timeoutMs);
  socket.on("connect", () => socket.write(`GET ${path} HTTP/1.0\r\n\r\n`));
  socket.on("data", (chunk: Buffer) => {
    chunks.push(chunk);
    length += chunk.length;
    if (length > MAX_ANSWER) end(parse(Buffer.concat(chunks)));
  });
  socket.on("end", () => end(parse(Buffer.concat(chunks))));
  socket.on("error", (err) => end({ fault: systemReason(err) }));
  return promise;
}

function isMemory(value: unknown): value is Memory {
  if (typeof value !== "object" || value === null) return false;
  const { process: id, live, failures, since, endedAt } = value as Record<string, unknown>;
  return (
    typeof id === "string" &&
    typeof live === "boolean" &&
    typeof failures === "number" &&
    typeof since === "number" &&
    (endedAt === undefined || typeof endedAt === "number")
  );
}

/**
 * What the last check wrote down; undefined where there is nothing that can be read, as for a first
 * check.
 */
function readMemory(file: string): Memory | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(file, "utf8"));
    return isMemory(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Writes it down in one step, for the engine may kill a check at any time. Returns why it could
 * not.
 */
function writeMemory(file: string, memory: Memory): string | undefined {
  const partial = `${file}.${process.pid}`;
  try {
    writeFileSync(partial, JSON.stringify(memory), { flag: "wx", mode: 0o600 });
    renameSync(partial, file);
    return undefined;
  } catch (err) {
    rmSync(partial, { force: true });
    return `${file} cannot be written: ${fileFault(err, partial)}: give the container a tmpfs at its folder`;
  }
}

/** A process; `id` is that of no other, not even of one that gets its number. */
type ProcessInfo = { readonly pid: number; readonly id: string };

type Stat = {
  readonly pid: number;
  readonly state: string;
  readonly parent: number;
  readonly start: string;
};

/**
 * The parts of `/proc/PID/stat` (proc_pid_stat(5)). The name in it may hold blanks and parentheses.
 */
export function parseStat(text: string): Stat | undefined {
  const rest = text
    .slice(text.lastIndexOf(")") + 1)
    .trim()
    .split(" ");
  const [state, parent] = rest;
  const start = rest[19];
  const pid = Number.parseInt(text, 10);
  if (state === undefined || start === undefined || !Number.isInteger(pid)) return undefined;
  return { pid, state, parent: Number(parent), start };
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // A process that has ended meanwhile, or one of somebody else.
    return "";
  }
}

/** Whether the process runs the program that this one does: the service itself, and no init. */
function isOfOurKind(pid: number, proc: string): boolean {
  const [program = ""] = textOf(join(proc, String(pid), "cmdline")).split("\0", 1);
  return basename(program) === basename(process.execPath);
}

/**
 * Whether this process descends from another: then that is no service, but somebody at work who
 * tries the check.
 */
function startedUs(pid: number, all: readonly Stat[]): boolean {
  const parents = new Map(all.map((stat) => [stat.pid, stat.parent]));
  let at = parents.get(process.pid);
  while (at !== undefined && at !== pid) at = parents.get(at);
  return at === pid;
}

/**
 * The service: the only child of the process that starts and reaps it (`init: true` of compose,
 * tini, catatonit), or why there is none to be asked. `proc` is where Linux shows its processes.
 */
export function findService(
  initPid: number,
  proc = "/proc",
): ProcessInfo | { readonly fault: string } {
  if (isOfOurKind(initPid, proc)) {
    return {
      fault: `process ${initPid} is the service itself, which no signal from inside ends: start it below an init (init: true)`,
    };
  }
  const all = readdirSync(proc)
    .filter((name) => /^\d+$/.test(name))
    .map((name) => parseStat(textOf(join(proc, name, "stat"))))
    .filter((stat) => stat !== undefined);
  const [service, ...others] = all.filter(
    ({ pid, parent, state }) => parent === initPid && pid !== process.pid && state !== "Z",
  );
  if (service === undefined) return { fault: `process ${initPid} has no child` };
  if (others.length > 0) {
    return { fault: `process ${initPid} has several children: which is the service?` };
  }
  if (startedUs(service.pid, all)) {
    return {
      fault: `process ${service.pid} has started this check: it is no service of a container`,
    };
  }
  const boot = textOf(join(proc, "sys", "kernel", "random", "boot_id")).trim();
  return { pid: service.pid, id: `${boot} ${service.pid} ${service.start}` };
}
