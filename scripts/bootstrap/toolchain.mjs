// Node 24 and pnpm, from npm into the user's cache folder; and the dependencies.
import { existsSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import process from "node:process";
import { cacheDir } from "./cache.mjs";
import { outputOf, runQuietly } from "./run-command.mjs";
import { NODE_FLOOR, PNPM, atLeast, nodePackage } from "./versions.mjs";

const PNPM_MAIN = join("node_modules", "pnpm", "bin", "pnpm.cjs");
const NODE_BIN = join("node_modules", ".bin");

/** @typedef {Record<string, string | undefined>} Env */
/**
 * The context of every step of the bootstrap.
 * @typedef {object} Context
 * @property {string} root The repository's root folder.
 * @property {Env} env
 * @property {import("./progress.mjs").Progress} progress
 * @property {AbortSignal} signal Ends every step.
 */

function ownNode() {
  return atLeast(process.version, NODE_FLOOR);
}

/**
 * The toolchain's folder; its name contains the versions in it.
 * @param {Env} env
 */
export function toolchainDir(env) {
  const node = ownNode() ? "" : `${nodePackage().replace(/^.*@/, "node-")}-`;
  return join(cacheDir(env), `toolchain-${node}pnpm-${PNPM}`);
}

/**
 * The environment in which everything else runs: Node 24 and pnpm first on PATH.
 * @param {Env} env
 * @returns {Env}
 */
export function toolchainEnv(env) {
  const bin = join(toolchainDir(env), NODE_BIN);
  const node = ownNode() ? [dirname(process.execPath)] : [];
  return { ...env, PATH: [...node, bin, env.PATH ?? ""].join(delimiter) };
}

/**
 * @param {Env} env
 * @returns {string} path of a Node that can run TypeScript
 */
export function nodePath(env) {
  return ownNode() ? process.execPath : join(toolchainDir(env), NODE_BIN, "node");
}

/**
 * Installs Node 24 and pnpm if they are missing.
 * @param {Context} context
 */
export async function bringToolchain(context) {
  const since = Date.now();
  const dir = toolchainDir(context.env);
  if (existsSync(join(dir, PNPM_MAIN))) return;
  const what = ownNode() ? `pnpm ${PNPM}` : `${nodePackage()} and pnpm ${PNPM}`;
  const fresh = `${dir}.tmp-${process.pid}`;
  try {
    await context.progress.live(`bringing ${what} from npm, once`, install(context, fresh));
    await rm(dir, { recursive: true, force: true });
    await rename(fresh, dir);
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
  context.progress.done(`${what} from npm`, since);
}

/**
 * @param {Context} context
 * @param {string} dir
 */
async function install({ env, signal }, dir) {
  const npm = async (/** @type {string[]} */ packages) => {
    await rm(dir, { recursive: true, force: true });
    await mkdir(dir, { recursive: true });
    const flags = ["--no-save", "--no-audit", "--no-fund", "--loglevel=error", "--prefix", dir];
    await runQuietly("npm", ["install", ...packages, ...flags], { env, cwd: dir, signal });
  };
  const pnpm = `pnpm@${PNPM}`;
  if (ownNode()) return npm([pnpm]);
  const works = async () =>
    atLeast((await outputOf(join(dir, NODE_BIN, "node"), ["--version"])) ?? "", NODE_FLOOR);
  await npm([nodePackage(), pnpm]);
  if (await works()) return;
  // The package that picks the platform itself needs its install script, which newer versions of
  // npm do not run by default. It is only the fallback for the plain package.
  await npm(["node@24", pnpm]);
  if (!(await works())) {
    throw new Error(`npm brought no Node >= ${NODE_FLOOR} that runs here: install it yourself`);
  }
}

/**
 * @param {Context} context
 */
export async function installDependencies({ root, env, progress, signal }) {
  const since = Date.now();
  const pnpm = join(toolchainDir(env), PNPM_MAIN);
  await runQuietly(nodePath(env), [pnpm, "install", "--frozen-lockfile"], {
    cwd: root,
    // Without CI pnpm asks before it replaces a node_modules made by another version.
    env: { ...toolchainEnv(env), CI: "true" },
    signal,
  });
  progress.done("dependencies", since);
}
