import { readFileSync, readdirSync } from "node:fs";
import { basename, join } from "node:path";
import process from "node:process";

/** A process; `id` is that of no other, not even of one that gets its number. */
export type ProcessInfo = { readonly pid: number; readonly id: string };

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
