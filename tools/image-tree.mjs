// What an image of one service holds: `node tools/image-tree.mjs SERVICE OUT`. The Dockerfile runs it, and a test. Needs pnpm and nothing else.
import { execFileSync } from "node:child_process";
import { cp, mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { stripTypeScriptTypes } from "node:module";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const FILES = ["package.json", "pnpm-lock.yaml", "pnpm-workspace.yaml", "LICENSE"];

/** @typedef {{name: string, dependencies?: Record<string, string>}} Manifest */

/** The workspace's packages that may be in an image: name -> folder. */
async function packages() {
  /** @type {Map<string, {dir: string, manifest: Manifest}>} */
  const found = new Map();
  for (const group of ["libs", "services"]) {
    for (const name of await readdir(join(ROOT, group))) {
      const dir = join(group, name);
      const text = await readFile(join(ROOT, dir, "package.json"), "utf8").catch(() => undefined);
      if (text === undefined) continue;
      const manifest = /** @type {Manifest} */ (JSON.parse(text));
      found.set(manifest.name, { dir, manifest });
    }
  }
  return found;
}

/**
 * The folders of a package and of what it needs of the workspace.
 * @param {string} name
 */
async function closure(name) {
  const all = await packages();
  /** @type {Set<string>} */
  const dirs = new Set();
  const visit = (/** @type {string} */ one) => {
    const found = all.get(one);
    if (found === undefined) throw new Error(`the workspace has no package ${one}`);
    if (dirs.has(found.dir)) return;
    dirs.add(found.dir);
    for (const dependency of Object.keys(found.manifest.dependencies ?? {})) {
      if (dependency.startsWith("@rollcast/")) visit(dependency);
    }
  };
  visit(name);
  return [...dirs];
}

/**
 * A source as Node runs it without its TypeScript loader, which would hold 30 MiB in every process. Types become blanks, so that lines and columns stay.
 * @param {string} text
 */
function toJavaScript(text) {
  return stripTypeScriptTypes(text).replaceAll(/(["'])(\.\.?\/[^"'\n]+)\.ts\1/g, "$1$2.js$1");
}

/**
 * Copies a folder of sources as JavaScript, without tests.
 * @param {string} from
 * @param {string} to
 */
async function convert(from, to) {
  await mkdir(to, { recursive: true });
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const { name } = entry;
    const [source, target] = [join(from, name), join(to, name)];
    if (entry.isDirectory()) await convert(source, target);
    else if (name.endsWith(".test.ts")) continue;
    else if (name.endsWith(".ts")) {
      const text = toJavaScript(await readFile(source, "utf8"));
      await writeFile(target.replace(/\.ts$/, ".js"), text);
    } else await cp(source, target);
  }
}

/**
 * Puts manifests and sources into `out`; tests and what only they need stay behind.
 * @param {string} service
 * @param {string} out
 */
async function assemble(service, out) {
  await mkdir(out, { recursive: true });
  for (const file of FILES) await cp(join(ROOT, file), join(out, file));
  for (const dir of await closure(`@rollcast/${service}`)) {
    await convert(join(ROOT, dir, "src"), join(out, dir, "src"));
    const manifest = await readFile(join(ROOT, dir, "package.json"), "utf8");
    // Its exports.
    await writeFile(join(out, dir, "package.json"), manifest.replaceAll('.ts"', '.js"'));
  }
}

/**
 * Installs what runs, by the lockfile. Copies, not links: the store that they would lead to is not in the image.
 * @param {string} service
 * @param {string} out
 */
function install(service, out) {
  const how = ["--prod", "--frozen-lockfile", "--prefer-offline", "--package-import-method=copy"];
  const args = ["install", ...how, "--filter", `@rollcast/${service}...`];
  execFileSync("pnpm", args, { cwd: out, stdio: ["ignore", "inherit", "inherit"] });
}

/**
 * Removes what no process reads: types and source maps, a third of the whole.
 * @param {string} dir
 */
async function prune(dir) {
  for (const entry of await readdir(dir, { withFileTypes: true })) {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) await prune(path);
    else if (entry.isFile() && /\.(d\.[cm]?ts|map)$/.test(entry.name)) await rm(path);
  }
}

const [service, out] = process.argv.slice(2);
if (service === undefined || out === undefined) {
  process.stderr.write("usage: node tools/image-tree.mjs SERVICE OUT\n");
  process.exitCode = 2;
} else {
  await assemble(service, out);
  install(service, out);
  await prune(join(out, "node_modules", ".pnpm"));
  // One name for every service, for the image's command.
  await writeFile(join(out, "main.mjs"), `await import("./services/${service}/src/main.js");\n`);
}
