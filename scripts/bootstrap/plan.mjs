// Plans what to install, from the facts. Pure.
import { planEngine } from "./engine-plan.mjs";
import { ARGO_CONTROLLER, CONTAINER_TOOLS, KUBERNETES_SERVERS, TEST_TOOLS } from "./facts.mjs";
import { GO_FLOOR, NATS_FLOOR, REDIS_FLOOR, atLeast } from "./versions.mjs";

/**
 * @typedef {object} Wish
 * @property {"start" | "test" | "containers" | "bench"} command
 * @property {boolean} cluster The user named a cluster, so that none is brought.
 * @property {boolean} [argo] Argo Rollouts' controller too, for the model to be compared with.
 */

/**
 * @typedef {object} Plan
 * @property {readonly string[]} build Servers to build.
 * @property {"go" | "container" | undefined} compiler What builds them.
 * @property {"url" | "path" | "apt" | "container" | undefined} redis Where Redis comes from.
 * @property {Readonly<Record<string, "cache" | "path" | "assets">>} servers Where each server is
 *   after the build.
 * @property {import("./engine-plan.mjs").EnginePlan | undefined} engine For the tests of
 *   containers.
 * @property {readonly string[]} notes What a user may wonder about.
 * @property {readonly string[]} missing What is missing, each with the command that installs it.
 */

const REDIS = `redis-server >= ${REDIS_FLOOR}, or Docker: on Debian and Ubuntu \`sudo apt-get install redis-server\`, on Fedora \`sudo dnf install redis\`, on macOS \`brew install redis\``;

/**
 * @param {import("./facts.mjs").Facts} facts
 * @param {Wish} wish
 * @returns {Plan}
 */
export function makePlan(facts, wish) {
  /** @type {Record<string, "cache" | "path" | "assets">} */
  const servers = {};
  /** @type {string[]} */
  const notes = [];
  const containers = wish.command === "containers";
  const engine =
    containers && facts.engine !== undefined ? planEngine(facts.engine, facts.apt) : undefined;
  const needed = neededServers(facts, wish, engine?.plan?.engine);
  // Images need our own builds, which are statically linked.
  for (const name of needed) servers[name] = containers ? "cache" : sourceOf(name, facts);
  if (
    needed.includes("nats-server") &&
    !containers &&
    servers["nats-server"] !== "path" &&
    facts.natsServer
  ) {
    notes.push(
      `${facts.natsServer} is ${facts.natsVersion ?? "of no known version"}, older than ${NATS_FLOOR}: not used`,
    );
  }
  const build = needed.filter((name) => servers[name] === "cache" && !facts.built.includes(name));
  const compiler = build.length === 0 ? undefined : compilerOf(facts);
  if (compiler === "container" && facts.go !== undefined) {
    notes.push(`${facts.go} is older than ${GO_FLOOR}: a container builds instead`);
  }
  const redis = redisOf(facts, wish);
  return {
    build,
    compiler,
    redis,
    servers,
    engine: engine?.plan,
    notes,
    missing: [
      ...missing(facts, build, compiler),
      ...(redis === undefined && !containers ? [REDIS] : []),
      ...(engine?.missing ?? []),
    ],
  };
}

/**
 * @param {import("./facts.mjs").Facts} facts
 * @param {Wish} wish
 * @param {"own" | "host" | undefined} engine
 * @returns {string[]}
 */
function neededServers(facts, wish, engine) {
  // Tests kill and restart servers, and what is measured begins with empty ones, so that they need
  // their own whatever runs elsewhere.
  const own = wish.command !== "start";
  return [
    ...(own || !facts.natsUrl ? ["nats-server"] : []),
    ...(own || !wish.cluster ? KUBERNETES_SERVERS : []),
    ...(own && wish.command !== "bench" ? TEST_TOOLS : []),
    ...(engine === "own" ? CONTAINER_TOOLS : []),
    ...(wish.argo === true ? [ARGO_CONTROLLER] : []),
  ];
}

/**
 * @param {string} name
 * @param {import("./facts.mjs").Facts} facts
 */
function sourceOf(name, facts) {
  if (name === "nats-server" && atLeast(facts.natsVersion ?? "", NATS_FLOOR)) return "path";
  return facts.assets.includes(name) ? "assets" : "cache";
}

/**
 * @param {import("./facts.mjs").Facts} facts
 */
function compilerOf(facts) {
  if (atLeast(facts.go ?? "", GO_FLOOR)) return "go";
  return facts.docker ? "container" : undefined;
}

/**
 * @param {import("./facts.mjs").Facts} facts
 * @param {Wish} wish
 */
function redisOf(facts, wish) {
  if (wish.command === "containers") return undefined;
  if (wish.command === "start" && facts.redisUrl) return "url";
  if (atLeast(facts.redisVersion ?? "", REDIS_FLOOR)) return "path";
  // If Debian's own is too old, Debian has no newer one.
  if (facts.apt && facts.redisServer === undefined) return "apt";
  return facts.docker ? "container" : undefined;
}

/**
 * @param {import("./facts.mjs").Facts} facts
 * @param {readonly string[]} build
 * @param {Plan["compiler"]} compiler
 * @returns {string[]}
 */
function missing(facts, build, compiler) {
  const lines = [];
  if (!facts.npm && !facts.toolchain) {
    lines.push("npm, which brings Node 24 and pnpm: it comes with Node, https://nodejs.org");
  }
  if (build.length > 0 && compiler === undefined) {
    const old = facts.go === undefined ? "" : ` (${facts.go} is older)`;
    lines.push(
      `Go >= ${GO_FLOOR}${old}, or Docker, to build ${build.join(", ")}: https://go.dev/doc/install, or on macOS \`brew install go\``,
    );
  }
  return lines;
}
