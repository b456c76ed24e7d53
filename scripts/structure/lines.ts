// Prints the lines of the sources by package, tests aside: `npm run lines`.
import { countLines, readTexts, readWorkspace } from "./tree.ts";

const dirs = [...(await readWorkspace()).values()];
const lines = new Map<string, number>();
for (const { file, text } of await readTexts()) {
  const dir =
    dirs.find((candidate) => file.startsWith(`${candidate}/`)) ?? file.split("/")[0] ?? "";
  lines.set(dir, (lines.get(dir) ?? 0) + countLines(text));
}

const rows = [...lines].toSorted(([, a], [, b]) => b - a);
const total = rows.reduce((sum, [, count]) => sum + count, 0);
for (const [name, count] of [...rows, ["total", total] as const]) {
  process.stdout.write(`${name.padEnd(24)}${String(count).padStart(8)}\n`);
}
