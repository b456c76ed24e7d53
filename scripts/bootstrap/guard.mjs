// Runs a command in a process group of its own and ends the whole group when the command is over or when whoever started the guard is gone (its end of the
// guard's standard input closes, also after a kill -9). The command learns in the same way that the guard is gone.
//
//     node guard.mjs COMMAND [ARGS...]
import { spawn } from "node:child_process";
import { constants } from "node:os";
import process from "node:process";

const GRACE_MS = 20_000;

const [command = "", ...args] = process.argv.slice(2);
const child = spawn(command, args, { stdio: ["pipe", "inherit", "inherit"], detached: true });

function killGroup() {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    // The process group has ended.
  }
}

let ending = false;
function end() {
  if (ending) return;
  ending = true;
  child.kill("SIGTERM");
  setTimeout(killGroup, GRACE_MS).unref();
}

child.stdin.on("error", () => undefined);
child.once("error", (err) => {
  process.stderr.write(`${command} cannot be started: ${err.message}\n`);
  process.exit(127);
});
child.once("exit", (code, signal) => {
  killGroup();
  process.exit(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
});
process.stdin.on("end", end).on("close", end).on("error", end).resume();
for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"])) {
  process.on(signal, end);
}
