import { readFile } from "node:fs/promises";
import { join } from "node:path";

/**
 * The lines that a section of docs/install.md has a user type, in order. Throws where there is no
 * such section or it has none.
 */
export async function commandsOf(dir: string, heading: string): Promise<string[]> {
  const page = await readFile(join(dir, "docs", "install.md"), "utf8");
  const [, section] = page.split(`\n### ${heading}\n`);
  if (section === undefined) throw new Error(`docs/install.md has no section "${heading}"`);
  const [text = ""] = section.split(/^##/m);
  const consoles = [...text.matchAll(/^```console\n(.*?)^```$/gms)].map(([, block = ""]) => block);
  const lines = consoles.flatMap((block) => block.split("\n"));
  const commands = lines.filter((line) => line.startsWith("$ ")).map((line) => line.slice(2));
  if (commands.length === 0) throw new Error(`"${heading}" has no command`);
  return commands;
}
