// Runs redis-server in a container, with the real one's command line. The container ends with this
// process, even after a kill -9, because its standard input closes.
import { spawn } from "node:child_process";
import process from "node:process";
import { REDIS_IMAGE } from "./versions.mjs";

// The shell keeps its standard input as descriptor 3, because a background command has none.
const SCRIPT = `exec 3<&0
redis-server "$@" & redis=$!
(cat <&3 >/dev/null; kill -KILL $redis) &
trap 'kill -TERM $redis' TERM INT
wait $redis; wait $redis`;

const args = process.argv.slice(2);
/** @param {string} name */
const after = (name) => args[args.indexOf(name) + 1] ?? "";
const port = after("--port");
const dir = after("--dir");
const inside = args.map((arg, i) => {
  if (args[i - 1] === "--bind") return "0.0.0.0";
  return args[i - 1] === "--dir" ? "/data" : arg;
});
const user =
  process.getuid === undefined ? [] : ["--user", `${process.getuid()}:${process.getgid?.()}`];
const container = [
  ["run", "--rm", "--interactive", ...user],
  ["--publish", `127.0.0.1:${port}:${port}`, "--volume", `${dir}:/data`],
  [REDIS_IMAGE, "sh", "-c", SCRIPT, "redis", ...inside, "--protected-mode", "no"],
].flat();

const child = spawn("docker", container, { stdio: ["pipe", "inherit", "inherit"] });
for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM"])) {
  process.on(signal, () => child.kill(signal));
}
child.once("exit", (code) => process.exit(code ?? 1));
child.once("error", (err) => {
  process.stderr.write(`docker: ${err.message}\n`);
  process.exit(127);
});
