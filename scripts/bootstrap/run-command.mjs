// Children of the bootstrap. Each runs under the guard, so that none outlives it.
import { execFile, spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const GUARD = join(dirname(fileURLToPath(import.meta.url)), "guard.mjs");
const PROBE_MS = 15_000;
const KEPT = 8_000;

/** @typedef {Record<string, string | undefined>} Env */

/**
 * @typedef {object} RunOptions
 * @property {Env} [env]
 * @property {string} [cwd]
 * @property {AbortSignal} signal Ends the command, and what it started.
 */

/**
 * The path of `name` on PATH.
 * @param {string} name
 * @param {Env} env
 * @returns {string | undefined}
 */
export function which(name, env = process.env) {
  for (const dir of (env.PATH ?? "").split(delimiter)) {
    const file = join(dir, name);
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      // Not found in this folder.
    }
  }
  return undefined;
}

/**
 * The output of a short command, or undefined if it is missing, fails or hangs.
 * @param {string} command
 * @param {readonly string[]} args
 * @returns {Promise<string | undefined>}
 */
export function outputOf(command, args) {
  return new Promise((resolve) => {
    execFile(command, [...args], { timeout: PROBE_MS }, (err, stdout, stderr) => {
      resolve(err === null ? `${stdout}${stderr}`.trim() : undefined);
    });
  });
}

/**
 * Runs a command with the terminal's output; resolves with its exit code.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {RunOptions} options
 * @returns {Promise<number>}
 */
export function runOpenly(command, args, { env, cwd, signal }) {
  const child = spawn(process.execPath, [GUARD, command, ...args], {
    env,
    cwd,
    stdio: ["pipe", "inherit", "inherit"],
    detached: true,
  });
  return ended(child, signal);
}

/**
 * Runs a command that writes into an open file; resolves with its exit code.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {RunOptions & {log: number}} options `log`: the file's descriptor
 * @returns {Promise<number>}
 */
export function runLogged(command, args, { env, cwd, log, signal }) {
  const child = spawn(process.execPath, [GUARD, command, ...args], {
    env,
    cwd,
    stdio: ["pipe", log, log],
    detached: true,
  });
  return ended(child, signal);
}

/**
 * Runs a command silently. If it fails, throws with the end of its output.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {RunOptions} options
 * @returns {Promise<void>}
 */
export async function runQuietly(command, args, { env, cwd, signal }) {
  const child = spawn(process.execPath, [GUARD, command, ...args], {
    env,
    cwd,
    stdio: ["pipe", "pipe", "pipe"],
    detached: true,
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk) => {
      output = `${output}${String(chunk)}`.slice(-KEPT);
    });
  }
  const code = await ended(child, signal);
  if (code !== 0) {
    throw new Error(`${command} ${args.join(" ")} ended with ${code}:\n${output.trimEnd()}`);
  }
}

/**
 * @param {import("node:child_process").ChildProcess} child
 * @param {AbortSignal} signal
 * @returns {Promise<number>}
 */
function ended(child, signal) {
  // The guard ends when its input does.
  const end = () => child.stdin?.end();
  child.stdin?.on("error", () => undefined);
  if (signal.aborted) end();
  signal.addEventListener("abort", end, { once: true });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => {
      signal.removeEventListener("abort", end);
      resolve(code ?? 1);
    });
  });
}
