// Links to the servers of a checkout, wherever each lies.
import { mkdir, rename, rm, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import process from "node:process";
import { builtDir } from "./cache.mjs";
import { moduleOf } from "./go-packages.mjs";

/**
 * Puts links to the servers, wherever each lies, into one folder, and returns it.
 * @param {import("./toolchain.mjs").Context} context
 * @param {import("./plan.mjs").Plan["servers"]} servers
 * @param {string | undefined} natsServer path of the one on PATH
 * @returns {Promise<string>}
 */
export async function linkServers({ root, env }, servers, natsServer) {
  const dir = linkDir(root);
  for (const [name, source] of Object.entries(servers)) {
    const dirOf =
      source === "cache" ? builtDir(moduleOf(name), env) : (env.KUBEBUILDER_ASSETS ?? "");
    const target = source === "path" ? (natsServer ?? "") : join(dirOf, name);
    await link(target, join(dir, name));
  }
  return dir;
}

/**
 * The folder in this checkout in which everything that runs is found.
 * @param {string} root
 */
export function linkDir(root) {
  return join(root, ".rollcast", "servers");
}

/**
 * Makes a link, or renews it in one step: another run may be starting what it leads to.
 * @param {string} target
 * @param {string} file
 */
export async function link(target, file) {
  const fresh = `${file}.tmp-${process.pid}`;
  await mkdir(dirname(file), { recursive: true });
  await rm(fresh, { force: true });
  await symlink(target, fresh);
  await rename(fresh, file);
}
