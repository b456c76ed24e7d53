// `npm start`, `npm test` and `npm run containers|model|mutants|bench|ways` on a fresh machine:
// installs what is needed, then runs the command with Node 24. No dependencies; runs on Node 20.
import { delimiter, dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { runChecks } from "./checks.mjs";
import { createProgress } from "./progress.mjs";
import { runOpenly } from "./run-command.mjs";
import { prepareMachine } from "./prepare-machine.mjs";
import { PROGRAMS, prepareProgram } from "./prepare-program.mjs";
import { linkDir } from "./link-servers.mjs";
import { nodePath, toolchainEnv } from "./toolchain.mjs";

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const PARENT_MS = 1_000;
const COMMANDS = /** @type {const} */ ([
  "start",
  "test",
  "containers",
  "model",
  "mutants",
  "bench",
  "ways",
]);

/**
 * @param {import("./toolchain.mjs").Context} context
 * @returns {Record<string, string | undefined>}
 */
function handOverEnv({ root, env }) {
  const dir = linkDir(root);
  const ready = toolchainEnv(env);
  // Last on PATH: Redis is only linked if there was none on PATH.
  return { ...ready, PATH: `${ready.PATH}${delimiter}${dir}`, ROLLCAST_SERVERS_DIR: dir };
}

/**
 * Aborts on a signal, and when npm, which runs this, was killed.
 * @param {AbortController} stop
 * @param {Readonly<Record<string, string | undefined>>} env
 */
function listen(stop, env) {
  for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"])) {
    process.on(signal, () => stop.abort());
  }
  if (env.npm_lifecycle_event === undefined) return;
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid !== parent) stop.abort();
  }, PARENT_MS).unref();
}

/**
 * Says what is going to happen, and to which cluster.
 * @param {string} command
 * @param {readonly string[]} args
 */
function greeting(command, args) {
  if (command === "test") return "getting ready to test";
  if (command === "containers") return "getting ready to test containers";
  if (command === "model") return "getting ready to run the model";
  if (command === "mutants") return "getting ready to run the mutants";
  if (command === "bench" || command === "ways") return "getting ready to measure";
  const match = /(?:^| )--(context|kubeconfig)(?:=| )(\S+)/.exec(args.join(" "));
  return match === null ? "getting ready" : `getting ready for your ${match[1]} ${match[2]}`;
}

/**
 * What runs when the machine is ready.
 * @param {"start" | "containers" | "bench" | "ways"} command
 * @param {import("./plan.mjs").Plan} plan
 * @returns {string[]}
 */
function programOf(command, plan) {
  if (command === "bench") return [join(ROOT, "bench", "main.ts")];
  if (command === "ways") return [join(ROOT, "bench", "ways", "main.ts")];
  const scripts = join(ROOT, "scripts");
  return plan.engine === undefined
    ? [join(scripts, "start", "main.ts")]
    : [join(scripts, "containers", "main.ts"), plan.engine.engine];
}

/**
 * @param {string | undefined} name
 * @param {readonly string[]} args
 * @returns {Promise<number>} exit code
 */
async function main(name, args) {
  const command = COMMANDS.find((candidate) => candidate === name);
  if (command === undefined) {
    process.stderr.write(
      `usage: node scripts/bootstrap/main.mjs ${COMMANDS.join("|")} [ARGS...]\n`,
    );
    return 2;
  }
  const since = Date.now();
  const stop = new AbortController();
  const progress = createProgress(process.stdout);
  const context = { root: ROOT, env: { ...process.env }, progress, signal: stop.signal };
  listen(stop, context.env);
  const cluster = args.some((arg) => /^--(context|kubeconfig)(=|$)/.test(arg));
  try {
    progress.say(`Rollcast: ${greeting(command, args)}`);
    if (command === "model" || command === "mutants") {
      await prepareProgram(command, context, stop, args);
      const options = { cwd: ROOT, env: handOverEnv(context), progress, signal: stop.signal };
      const program = join(ROOT, PROGRAMS[command]);
      return await runOpenly(nodePath(context.env), [program, ...args], options);
    }
    const plan = await prepareMachine(context, stop, {
      // Both need the same servers.
      command: command === "ways" ? "bench" : command,
      cluster: command === "start" && cluster,
    });
    progress.done("ready", since);
    const options = { cwd: ROOT, env: handOverEnv(context), progress, signal: stop.signal };
    if (command === "test") return await runChecks(args, options);
    const program = programOf(command, plan);
    return await runOpenly(nodePath(context.env), [...program, ...args], options);
  } catch (err) {
    process.stderr.write(`\n${err instanceof Error ? err.message : String(err)}\n`);
    return 1;
  }
}

process.exitCode = await main(process.argv[2], process.argv.slice(3));
