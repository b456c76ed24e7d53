// The part of an image that is Rollcast's own: its sources as JavaScript.
import { cp, mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import { stripTypeScriptTypes } from "node:module";
import { join } from "node:path";
import { ROOT } from "./workspace.mjs";

/**
 * Strips the types of a source, so that Node runs it without its TypeScript loader, which would
 * take 30 MiB in every process. Types become blanks, so that lines and columns stay.
 * @param {string} text
 */
function toJavaScript(text) {
  return stripTypeScriptTypes(text).replaceAll(/(["'])(\.\.?\/[^"'\n]+)\.ts\1/g, "$1$2.js$1");
}

/**
 * Writes a folder of sources as JavaScript, without tests and other files.
 * @param {string} from
 * @param {string} to
 */
async function convert(from, to) {
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const { name } = entry;
    const [source, target] = [join(from, name), join(to, name)];
    if (entry.isDirectory()) await convert(source, target);
    else if (name.endsWith(".ts") && !name.endsWith(".test.ts")) {
      const text = toJavaScript(await readFile(source, "utf8"));
      await mkdir(to, { recursive: true });
      await writeFile(target.replace(/\.ts$/, ".js"), text);
    }
  }
}

/**
 * The part of a manifest that Node and readers of the image need: a new version of a test tool must
 * not change the image.
 * @param {import("./workspace.mjs").Manifest} manifest
 */
function manifestOf({ name, version, license, type, exports }) {
  const text = JSON.stringify({ name, version, license, type, exports }, undefined, 2);
  return `${text.replaceAll('.ts"', '.js"')}\n`;
}

/**
 * Writes the sources of packages into the folder `out`, and a `main.mjs` that starts the first
 * package.
 * @param {readonly [import("./workspace.mjs").Package, ...import("./workspace.mjs").Package[]]} packages
 * @param {string} out
 */
export async function writeSources(packages, out) {
  for (const { dir, manifest } of packages) {
    await convert(join(ROOT, dir, "src"), join(out, dir, "src"));
    await writeFile(join(out, dir, "package.json"), manifestOf(manifest));
  }
  await cp(join(ROOT, "LICENSE"), join(out, "LICENSE"));
  // The same name for every service, for the image's command.
  await writeFile(join(out, "main.mjs"), `await import("./${packages[0].dir}/src/main.js");\n`);
}
