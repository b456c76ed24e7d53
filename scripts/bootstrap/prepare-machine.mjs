// Installs what the plan says is missing.
import { join } from "node:path";
import { installEngine } from "./apt.mjs";
import { buildServers } from "./build-servers.mjs";
import { cacheDir } from "./cache.mjs";
import { lookAround } from "./facts.mjs";
import { linkServers } from "./link-servers.mjs";
import { withLock } from "./lock.mjs";
import { makePlan } from "./plan.mjs";
import { installRedis, wrapRedis } from "./install-redis.mjs";
import { installToolchain, installDependencies } from "./toolchain.mjs";

/** @typedef {import("./toolchain.mjs").Context} Context */
/** @typedef {import("./plan.mjs").Plan} Plan */

/**
 * @param {import("./facts.mjs").Facts} facts
 * @param {import("./plan.mjs").Wish} wish
 * @returns {Plan}
 */
function planOrThrow(facts, wish) {
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
 * Waits for all. If one fails the others are aborted, and the first error is thrown when all have
 * ended.
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
async function provideRedis(context, plan) {
  if (plan.redis === "apt") await installRedis(context);
  if (plan.redis === "container") await wrapRedis(context);
}

/**
 * @param {Context} context
 * @param {AbortController} stop
 * @param {import("./plan.mjs").Wish} wish
 */
export async function prepareMachine(context, stop, wish) {
  const look = () => lookAround(context.env, { engine: wish.command === "containers" });
  const facts = await look();
  const plan = planOrThrow(facts, wish);
  for (const note of plan.notes) context.progress.say(`  ${note}`);
  const work = async (/** @type {Plan} */ now) => {
    const node = installToolchain(context).then(() => installDependencies(context));
    const build = now.compiler && buildServers(context, now.build, now.compiler);
    const packages = provideRedis(context, now).then(() =>
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
    // The process that held the lock may have installed it.
    const fresh = async () => work(planOrThrow(await look(), wish));
    await withLock(lock, fresh, { onWait, signal: stop.signal });
  }
  await linkServers(context, plan.servers, facts.natsServer);
  return plan;
}
