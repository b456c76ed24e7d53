import { cp, readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { repositoryRoot } from "@rollcast/testkit/binaries";

type Rule = { readonly matches: RegExp; readonly brings: boolean };

/** A line of .dockerignore: of a path or of a folder above it. */
function ruleOf(line: string): Rule {
  const brings = line.startsWith("!");
  const pattern = line
    .replace(/^!/, "")
    .replaceAll(/[.+^${}()|[\]\\]/g, String.raw`\$&`)
    .replaceAll(/\*\*\/|\*\*|\*/g, (stars) =>
      stars === "*" ? "[^/]*" : stars === "**" ? ".*" : "(.*/)?",
    );
  return { matches: new RegExp(`^${pattern}(/|$)`), brings };
}

/**
 * Copies what `docker build .` sends to the engine: .dockerignore keeps the rest out, by its last
 * line that matches. A folder that is kept out is not looked into.
 */
export async function copyBuildContext(to: string): Promise<void> {
  const root = repositoryRoot();
  const text = await readFile(join(root, ".dockerignore"), "utf8");
  const rules = text
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map(ruleOf);
  const isSent = (path: string) => rules.findLast(({ matches }) => matches.test(path))?.brings;
  const visit = async (dir: string) => {
    for (const entry of await readdir(join(root, dir), { withFileTypes: true })) {
      const path = join(dir, entry.name);
      if (isSent(path) === false) continue;
      if (entry.isDirectory()) await visit(path);
      else await cp(join(root, path), join(to, path));
    }
  };
  await visit("");
}
