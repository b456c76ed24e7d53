// What this machine has. Read-only.
import { existsSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { builtDir } from "./cache.mjs";
import { engineFacts } from "./engine-facts.mjs";
import { commandOutput, which } from "./run-command.mjs";
import { moduleOf } from "./go-packages.mjs";
import { toolchainDir } from "./toolchain.mjs";

/**
 * Tools that only the tests need; each is a Go module of its own. The stand-in of k3s has this
 * kubectl too.
 */
export const TEST_TOOLS = /** @type {const} */ (["kubectl", "helm", "helm4", "compose"]);
/** Tools that only containers without a registry need. */
export const CONTAINER_TOOLS = ["docker-compose", "docker-buildx"];
/** The controller that only the comparison of the model with Argo's own needs. */
export const ARGO_CONTROLLER = "rollouts-controller";
export const KUBERNETES_SERVERS = [
  "etcd",
  "kube-apiserver",
  "kube-controller-manager",
  "kube-scheduler",
  "kwok",
];

/**
 * @typedef {object} Facts
 * @property {string} node Version of the Node that runs.
 * @property {boolean} npm
 * @property {boolean} toolchain The toolchain is in the cache.
 * @property {readonly string[]} built Servers and tools of the tests in the cache.
 * @property {readonly string[]} assets Servers in KUBEBUILDER_ASSETS.
 * @property {string | undefined} natsServer Path of a nats-server on PATH.
 * @property {string | undefined} natsVersion What it says of itself.
 * @property {string | undefined} redisServer Path of a redis-server on PATH.
 * @property {string | undefined} redisVersion What it says of itself.
 * @property {string | undefined} go What `go version` says.
 * @property {boolean} docker A Docker daemon answers.
 * @property {boolean} apt Debian's packages can be installed.
 * @property {boolean} natsUrl NATS_URL is set.
 * @property {boolean} redisUrl REDIS_URL is set.
 * @property {import("./engine-facts.mjs").EngineFacts} [engine] Only for the tests of containers.
 */

/**
 * @param {Readonly<Record<string, string | undefined>>} env
 * @param {{engine?: boolean}} options `engine`: whether to look for a container engine and what
 *   belongs to it
 * @returns {Promise<Facts>}
 */
export async function lookAround(env = process.env, { engine = false } = {}) {
  const natsServer = which("nats-server", env);
  const redisServer = which("redis-server", env);
  const [natsVersion, redisVersion, go, docker] = await Promise.all([
    natsServer === undefined ? undefined : commandOutput(natsServer, ["--version"]),
    redisServer === undefined ? undefined : commandOutput(redisServer, ["--version"]),
    which("go", env) === undefined ? undefined : commandOutput("go", ["version"]),
    which("docker", env) === undefined
      ? undefined
      : commandOutput("docker", ["info", "--format", "{{.ServerVersion}}"]),
  ]);
  const assets = env.KUBEBUILDER_ASSETS ?? "";
  return {
    node: process.version,
    npm: which("npm", env) !== undefined,
    toolchain: existsSync(toolchainDir(env)),
    built: [
      "nats-server",
      ...KUBERNETES_SERVERS,
      ...TEST_TOOLS,
      ...CONTAINER_TOOLS,
      ARGO_CONTROLLER,
    ].filter((name) => existsSync(join(builtDir(moduleOf(name), env), name))),
    assets:
      assets === ""
        ? []
        : ["etcd", "kube-apiserver"].filter((name) => existsSync(join(assets, name))),
    natsServer,
    natsVersion,
    redisServer,
    redisVersion,
    go,
    docker: docker !== undefined && docker !== "",
    apt: process.getuid?.() === 0 && which("apt-get", env) !== undefined,
    natsUrl: Boolean(env.NATS_URL),
    redisUrl: Boolean(env.REDIS_URL),
    ...(engine ? { engine: await engineFacts(env) } : {}),
  };
}
