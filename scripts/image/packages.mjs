// The part of an image that the lockfile determines: the service's packages from the npm registry,
// and no sources.
import { execFileSync } from "node:child_process";
import { readdirSync, rmSync, unlinkSync } from "node:fs";
import { cp, rm } from "node:fs/promises";
import { join } from "node:path";
import { ROOT } from "./workspace.mjs";

const FILES = ["package.json", "pnpm-lock.yaml", "pnpm-workspace.yaml"];

/** What pnpm stores for its next run: the time, the folder, the address of the registry. */
const NOTES = [".modules.yaml", ".pnpm-workspace-state-v1.json", ".pnpm/lock.yaml"];

/**
 * What no process reads, a third of the total: types, source maps, and add-ons for other runtimes
 * than Node.
 */
const UNREAD = /\.(d\.[cm]?ts|map|bare)$/;

/**
 * Also the scripts that call a package's programs: they contain the folder in which they were
 * created, and the image has no shell.
 * @param {string} dir
 */
function prune(dir) {
  for (const entry of readdirSync(dir, { withFileTypes: true })) {
    const path = join(dir, entry.name);
    if (entry.isDirectory() && entry.name === ".bin") rmSync(path, { recursive: true });
    else if (entry.isDirectory()) prune(path);
    else if (entry.isFile() && UNREAD.test(entry.name)) unlinkSync(path);
  }
}

/**
 * Installs the packages of the lockfile into the folder `out`. Copies instead of links, because the
 * store is not in the image.
 * @param {readonly import("./workspace.mjs").Package[]} packages the service's, and those of the workspace that it needs
 * @param {string} out
 */
export async function installPackages(packages, out) {
  const manifests = [...FILES, ...packages.map(({ dir }) => join(dir, "package.json"))];
  for (const file of manifests) await cp(join(ROOT, file), join(out, file));
  const how = ["--prod", "--frozen-lockfile", "--prefer-offline", "--package-import-method=copy"];
  const args = ["install", ...how, "--filter", `${packages[0]?.manifest.name}...`];
  execFileSync("pnpm", args, { cwd: out, stdio: ["ignore", "inherit", "inherit"] });
  const notes = NOTES.map((file) => join("node_modules", file));
  for (const file of [...manifests, ...notes]) await rm(join(out, file));
  prune(out);
}
