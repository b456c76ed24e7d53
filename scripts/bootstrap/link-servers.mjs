// Links the servers into a folder of the checkout.
import { mkdir, rename, rm, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import process from "node:process";
import { builtDir } from "./cache.mjs";
import { moduleOf } from "./go-packages.mjs";

/**
 * Links the servers, wherever each is, into one folder and returns its path.
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
 * The folder of this checkout with links to all servers.
 * @param {string} root
 */
export function linkDir(root) {
  return join(root, ".rollcast", "servers");
}

/**
 * Creates or replaces a link atomically: another run may be starting its target.
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
