// Where build results are cached. Plain JavaScript without dependencies: the bootstrap runs it on
// Node 20, the tests on Node 24.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const MODULES = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "third_party", "go");

/**
 * The user's cache folder of Rollcast: `ROLLCAST_CACHE_DIR`, else the platform's.
 * @param {Readonly<Record<string, string | undefined>>} env
 * @returns {string}
 */
export function cacheDir(env = process.env) {
  if (env.ROLLCAST_CACHE_DIR) return env.ROLLCAST_CACHE_DIR;
  if (process.platform === "darwin") return join(homedir(), "Library", "Caches", "rollcast");
  return join(env.XDG_CACHE_HOME || join(homedir(), ".cache"), "rollcast");
}

/**
 * The folder of the container engine that `npm run containers` starts if there is none.
 * @param {Readonly<Record<string, string | undefined>>} env
 * @returns {string}
 */
export function engineDir(env = process.env) {
  return join(cacheDir(env), "engine");
}

/**
 * What DOCKER_HOST is for that engine.
 * @param {Readonly<Record<string, string | undefined>>} env
 * @returns {string}
 */
export function engineHost(env = process.env) {
  return `unix://${join(engineDir(env), "docker.sock")}`;
}

/**
 * A Go module in `third_party/go/`.
 * @typedef {"servers" | "kubectl" | "helm" | "helm4" | "compose" | "docker" | "argo-rollouts"}
 *   GoModule
 */

/**
 * The folder of what is built from a Go module; its name changes with what is built.
 * @param {GoModule} module
 * @param {Readonly<Record<string, string | undefined>>} env
 * @returns {string}
 */
export function builtDir(module, env = process.env) {
  const hash = createHash("sha256");
  for (const name of ["go.mod", "go.sum", `${module}.go`]) {
    hash.update(readFileSync(join(MODULES, module, name)));
  }
  hash.update(`${process.platform} ${process.arch}`);
  return join(cacheDir(env), `${module}-${hash.digest("hex").slice(0, 12)}`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [, , module = "servers"] = process.argv;
  process.stdout.write(builtDir(/** @type {GoModule} */ (module)));
}
