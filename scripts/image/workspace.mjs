// The workspace's packages that an image may contain.
import { readFile, readdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/**
 * @typedef {{
 *   name: string,
 *   version?: string,
 *   license?: string,
 *   type?: string,
 *   exports?: Record<string, string>,
 *   dependencies?: Record<string, string>,
 * }} Manifest
 */
/** @typedef {{dir: string, manifest: Manifest}} Package */

/** Packages by name. Folders are relative to the root. */
async function packages() {
  const inGroup = async (/** @type {string} */ group) =>
    (await readdir(join(ROOT, group))).map((name) => `${group}/${name}`);
  /** @type {Map<string, Package>} */
  const byName = new Map();
  const groups = await Promise.all(["libs", "services", "jobs", "examples"].map(inGroup));
  for (const dir of [...groups.flat(), "cli"]) {
    const text = await readFile(join(ROOT, dir, "package.json"), "utf8").catch(() => undefined);
    if (text === undefined) continue;
    const manifest = /** @type {Manifest} */ (JSON.parse(text));
    byName.set(manifest.name, { dir, manifest });
  }
  return byName;
}

/**
 * The package of a service or of the command line, followed by the workspace packages that it
 * needs. Throws if there is no such service.
 * @param {string} service
 * @returns {Promise<[Package, ...Package[]]>}
 */
export async function closure(service) {
  const all = await packages();
  const main = all.get(`@rollcast/${service}`);
  if (main === undefined || main.dir.startsWith("libs/")) {
    const dirs = [...all.values()].map(({ dir }) => dir).filter((dir) => !dir.startsWith("libs/"));
    throw new Error(
      `there is no service ${service}, only ${dirs.map((dir) => basename(dir)).join(", ")}`,
    );
  }
  /** @type {Map<string, Package>} */
  const needed = new Map();
  const visit = (/** @type {string} */ name) => {
    const workspacePackage = all.get(name);
    if (workspacePackage === undefined) throw new Error(`the workspace has no package ${name}`);
    if (needed.has(name)) return;
    needed.set(name, workspacePackage);
    for (const dependency of Object.keys(workspacePackage.manifest.dependencies ?? {})) {
      if (dependency.startsWith("@rollcast/")) visit(dependency);
    }
  };
  visit(main.manifest.name);
  needed.delete(main.manifest.name);
  return [main, ...needed.values()];
}
