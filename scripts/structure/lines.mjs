// Prints the lines of the sources by package, tests aside: `npm run lines`. What only tests and
// measurements use is printed after the total. No dependencies; runs on Node 20.
import { readFile, readdir } from "node:fs/promises";
import { dirname, join, relative, sep } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const PLACES = ["libs", "services", "jobs", "examples", "cli", "scripts", "bench"];
const GROUPS = new Set(["libs", "services", "jobs", "examples"]);
const FOR_TESTS = new Set(["libs/testkit", "bench"]);

/**
 * Every source below a folder, relative to the root.
 * @param {string} dir
 * @returns {Promise<string[]>}
 */
async function sources(dir) {
  const entries = await readdir(join(ROOT, dir), { withFileTypes: true });
  const paths = entries.map(async (entry) => {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) return /^(node_modules|test)$/.test(entry.name) ? [] : sources(path);
    return /\.(ts|mjs)$/.test(entry.name) && !entry.name.endsWith(".test.ts") ? [path] : [];
  });
  return (await Promise.all(paths)).flat();
}

/** @type {Map<string, number>} */
const lines = new Map();
for (const file of (await Promise.all(PLACES.map(sources))).flat()) {
  const [place = "", name = ""] = relative("", file).split(sep);
  const dir = GROUPS.has(place) ? `${place}/${name}` : place;
  const text = await readFile(join(ROOT, file), "utf8");
  lines.set(dir, (lines.get(dir) ?? 0) + text.split("\n").length - 1);
}

const rows = [...lines].sort(([, a], [, b]) => b - a);
const shipped = rows.filter(([name]) => !FOR_TESTS.has(name));
const total = shipped.reduce((sum, [, count]) => sum + count, 0);
const others = rows.filter(([name]) => FOR_TESTS.has(name));
for (const [name, count] of [...shipped, ["total", total], ...others]) {
  process.stdout.write(`${String(name).padEnd(24)}${String(count).padStart(8)}\n`);
}
