// Writes the content of an image: `node scripts/image/tree.mjs SERVICE OUT [packages | sources]`,
// where SERVICE is a folder of services/, jobs/ or examples/, or cli. The Dockerfile runs it, and a
// test. Needs pnpm and nothing else. The same content yields the same tree, whoever builds it,
// where and when: an image that is rebuilt without a change is the same image.
import { chmodSync, lstatSync, lutimesSync, readdirSync, utimesSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { installPackages } from "./packages.mjs";
import { writeSources } from "./sources.mjs";
import { closure } from "./workspace.mjs";

const USAGE = "usage: node scripts/image/tree.mjs SERVICE OUT [packages | sources]\n";
const EPOCH = new Date(0);

/**
 * Everybody may read, only the owner may write, and all times are equal: the modes and times of a
 * checkout or builder must not get into the image.
 * @param {string} path
 */
function normalize(path) {
  const stats = lstatSync(path);
  if (stats.isSymbolicLink()) return lutimesSync(path, EPOCH, EPOCH);
  if (stats.isDirectory()) {
    for (const name of readdirSync(path)) normalize(join(path, name));
  }
  const runs = stats.isDirectory() || (stats.mode & 0o100) !== 0;
  chmodSync(path, runs ? 0o755 : 0o644);
  utimesSync(path, EPOCH, EPOCH);
}

const [service, out, part] = process.argv.slice(2);
if (service === undefined || out === undefined || !/^(packages|sources)?$/.test(part ?? "")) {
  process.stderr.write(USAGE);
  process.exitCode = 2;
} else {
  const packages = await closure(service);
  await mkdir(out, { recursive: true });
  if (part !== "sources") await installPackages(packages, out);
  if (part !== "packages") await writeSources(packages, out);
  normalize(out);
}
