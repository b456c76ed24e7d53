// `npm start`, `npm test` and `npm run containers` on a fresh machine: brings what is needed, then hands over to Node 24. No dependencies; runs on Node 20.
import { delimiter, dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { installEngine } from "./apt.mjs";
import { cacheDir } from "./cache.mjs";
import { runChecks } from "./checks.mjs";
import { lookAround } from "./facts.mjs";
import { withLock } from "./lock.mjs";
import { makePlan } from "./plan.mjs";
import { createProgress } from "./progress.mjs";
import { installRedis, wrapRedis } from "./redis.mjs";
import { runOpenly } from "./run-command.mjs";
import { buildServers, linkDir, linkServers } from "./servers.mjs";
import { bringToolchain, installDependencies, nodePath, toolchainEnv } from "./toolchain.mjs";

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const PARENT_MS = 1_000;

/** @typedef {import("./toolchain.mjs").Context} Context */
/** @typedef {import("./plan.mjs").Plan} Plan */

/**
 * @param {import("./facts.mjs").Facts} facts
 * @param {import("./plan.mjs").Wish} wish
 * @returns {Plan}
 */
function planOrSayWhatIsMissing(facts, wish) {
  const plan = makePlan(facts, wish);
  if (plan.missing.length > 0) {
    const lines = plan.missing.map((line) => `  - ${line}`);
    throw new Error(
      `this machine lacks what Rollcast's ${wish.command} needs:\n${lines.join("\n")}`,
    );
  }
  return plan;
}

/**
 * Waits for all; where one fails the others are ended, and the first error is thrown when all are over.
 * @param {AbortController} stop
 * @param {readonly Promise<unknown>[]} works
 */
async function allOrNone(stop, works) {
  /** @type {unknown[]} */
  const errors = [];
  await Promise.all(
    works.map((work) =>
      work.catch((/** @type {unknown} */ err) => {
        errors.push(err);
        stop.abort();
      }),
    ),
  );
  if (errors.length > 0) throw errors[0];
}

/**
 * @param {Context} context
 * @param {Plan} plan
 */
async function bringRedis(context, plan) {
  if (plan.redis === "apt") await installRedis(context);
  if (plan.redis === "container") await wrapRedis(context);
}

/**
 * @param {Context} context
 * @param {AbortController} stop
 * @param {import("./plan.mjs").Wish} wish
 */
async function bring(context, stop, wish) {
  const look = () => lookAround(context.env, { engine: wish.command === "containers" });
  const facts = await look();
  const plan = planOrSayWhatIsMissing(facts, wish);
  for (const note of plan.notes) context.progress.say(`  ${note}`);
  const work = async (/** @type {Plan} */ now) => {
    const node = bringToolchain(context).then(() => installDependencies(context));
    const build = now.compiler && buildServers(context, now.build, now.compiler);
    const packages = bringRedis(context, now).then(() =>
      installEngine(context, now.engine?.packages ?? []),
    );
    await allOrNone(stop, [node, packages, Promise.resolve(build)]);
  };
  const installs = (plan.engine?.packages ?? []).length > 0;
  if (plan.compiler === undefined && facts.toolchain && !installs) await work(plan);
  else {
    const onWait = () =>
      context.progress.say("  .. waiting for another start or test that brings the same");
    const lock = join(cacheDir(context.env), "lock");
    // The one that was waited for may have brought it.
    const fresh = async () => work(planOrSayWhatIsMissing(await look(), wish));
    await withLock(lock, fresh, { onWait, signal: stop.signal });
  }
  await linkServers(context, plan.servers, facts.natsServer);
  return plan;
}

/**
 * @param {Context} context
 * @returns {Record<string, string | undefined>}
 */
function handOverEnv({ root, env }) {
  const dir = linkDir(root);
  const ready = toolchainEnv(env);
  // Last on PATH: a redis-server that is brought is one that was not there.
  return { ...ready, PATH: `${ready.PATH}${delimiter}${dir}`, ROLLCAST_SERVERS_DIR: dir };
}

/**
 * Ends when told to, and when npm, which runs this, was killed.
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
 * What is going to happen, and to which cluster.
 * @param {string} command
 * @param {readonly string[]} args
 */
function greeting(command, args) {
  if (command === "test") return "getting ready to test";
  if (command === "containers") return "getting ready to test containers";
  const told = /(?:^| )--(context|kubeconfig)(?:=| )(\S+)/.exec(args.join(" "));
  return told === null ? "getting ready" : `getting ready for your ${told[1]} ${told[2]}`;
}

/**
 * @param {string | undefined} command
 * @param {readonly string[]} args
 * @returns {Promise<number>} exit code
 */
async function main(command, args) {
  if (command !== "start" && command !== "test" && command !== "containers") {
    process.stderr.write(
      "usage: node scripts/bootstrap/main.mjs start|test|containers [ARGS...]\n",
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
    const plan = await bring(context, stop, { command, cluster: command === "start" && cluster });
    progress.done("ready", since);
    const options = { cwd: ROOT, env: handOverEnv(context), progress, signal: stop.signal };
    if (command === "test") return await runChecks(args, options);
    const scripts = join(ROOT, "scripts");
    const program =
      plan.engine === undefined
        ? [join(scripts, "start", "main.ts")]
        : [join(scripts, "containers", "main.ts"), plan.engine.engine];
    return await runOpenly(nodePath(context.env), [...program, ...args], options);
  } catch (err) {
    process.stderr.write(`\n${err instanceof Error ? err.message : String(err)}\n`);
    return 1;
  }
}

process.exitCode = await main(process.argv[2], process.argv.slice(3));
